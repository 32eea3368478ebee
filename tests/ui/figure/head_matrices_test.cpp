// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImage>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <set>

#include "core/export/attention_table.h"
#include "core/export/colour_map.h"
#include "core/export/head_table.h"
#include "tests/ui/figure/some_figures.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

namespace {

HeadAttention head(int layer, int head, double entropy, double sink = 0.25, double self = 0.125) {
  AttentionSummary means;
  means.entropy = entropy;
  means.sink_weight = sink;
  means.self_weight = self;
  means.queries = 512;
  means.distance = 20 * entropy;
  return {LayerId(layer), HeadId(head), KvHeadId(head / 2), means};
}

FigureData statistics(const std::vector<HeadAttention>& heads) {
  FigureData figure{FigureKind::statistics, {}, {}, {}, someProvenance()};
  figure.values = attention_table(heads);
  return figure;
}

/// Beside a run that had dropped half of each head's weight, over so many queries.
FigureData besideStreaming(std::vector<HeadAttention> heads, std::int64_t queries = 512) {
  for (HeadAttention& each : heads) {
    each.means->compared_queries = queries;
    each.means->lost = 0.5;
  }
  FigureData figure = statistics({});
  figure.values = attention_table(heads, true);
  Provenance other = someProvenance();
  other.policy = "streaming:4,64";
  figure.provenance.policy = "full";
  figure.compared.push_back({{}, std::move(other)});
  return figure;
}

FigureData ofKvHeads(const std::vector<HeadSummary>& heads, const std::string& policy) {
  FigureData figure{FigureKind::heads, {}, {}, {}, someProvenance()};
  figure.provenance.policy = policy;
  figure.values = head_table(heads, policy);
  return figure;
}

QImage drawn(const FigureData& figure, const FigureOptions& options) {
  const auto png = renderFigure(figure, FigureFormat::png, options);
  return png ? QImage::fromData(*png) : QImage();
}

int pixelsOf(const QImage& image, Rgb colour) {
  int count = 0;
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) count += image.pixel(x, y) == qRgb(colour.red, colour.green, colour.blue);
  }
  return count;
}

}  // namespace

class HeadMatricesTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void aCellIsColouredByItsShareOfTheLargest() {
    // So many heads that cells have no number in them, so few layers that the bar is longer than the matrix.
    std::vector<HeadAttention> heads;
    for (int layer = 0; layer < 2; ++layer) {
      for (int at = 0; at < 12; ++at) heads.push_back(head(layer, at, 0.5, layer == 1 && at == 3 ? 0.8 : 0.2));
    }
    heads[15].means->entropy = 2;  // layer 1, head 3
    const QImage image = drawn(statistics(heads), {.dpi = 288, .colours = ColourMap::magma});
    QVERIFY(!image.isNull());
    const int brightest = pixelsOf(image, colour_at(ColourMap::magma, 1.0F));
    const int quarter = pixelsOf(image, colour_at(ColourMap::magma, 0.25F));
    // 24 cells of itself, 24 of distance and one in each of the others; 23 of entropy and 23 of the first token. Lines
    // round the matrices and the ramps take or add a little.
    QVERIFY2(quarter > 0 && std::abs(brightest / static_cast<double>(quarter) - 50.0 / 46.0) < 0.05,
             qPrintable(QStringLiteral("%1 %2").arg(brightest).arg(quarter)));
  }

  void itSaysWhatIsWhereAndHowMuch() {
    const FigureData figure =
        statistics({head(0, 0, 1.25), head(0, 1, 2.5), head(2, 0, 0.75, 0.5), head(2, 1, 1, 0.125, 1)});
    const QStringList texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    for (const char* words :
         {"What each query head attends to", "entropy, nats", "weight on token 0, %", "weight on itself, %",
          "query head", "layer", "2", "1.3", "2.5", "0.8", "25", "50", "100", "means over 512 queries"}) {
      QVERIFY2(texts.contains(QString::fromUtf8(words)), qPrintable(QString::fromUtf8(words) + texts.join(u'|')));
    }
    QVERIFY(texts.contains(QStringLiteral("distance, tokens")) && texts.contains(QStringLiteral("25")));
    QVERIFY(!texts.contains(QStringLiteral("lost, %")));
    QCOMPARE(texts.count(QStringLiteral("query head")), 4);
    QCOMPARE(texts.count(QStringLiteral("layer")), 1);
    QVERIFY(!texts.contains(QStringLiteral("not recorded")));
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(svg->contains("range_entropy") && svg->contains("0:2.5"));
  }

  void whatIsNotKnownLooksLikeNoNumber() {
    std::vector<HeadAttention> heads;
    for (int at = 0; at < 4; ++at) heads.push_back(head(0, at, 1));
    heads.erase(heads.begin() + 1);  // its map was not recorded
    heads.back().means->entropy = std::nan("");
    const FigureData figure = statistics(heads);
    QVERIFY(textsOf(renderFigure(figure, FigureFormat::svg, {})).contains(QStringLiteral("not recorded")));
    const QImage image = drawn(figure, {.dpi = 144});
    const int masked = pixelsOf(image, masked_colour(Theme::light));
    // Four matrices lack head 1, entropy's head 3 too, and the legend has its square.
    QVERIFY2(masked > 5 * 28 * 28, qPrintable(QString::number(masked)));
    // None is known: nothing is drawn.
    for (HeadAttention& each : heads) each.means.reset();
    const auto none = renderFigure(statistics(heads), FigureFormat::svg, {});
    QVERIFY(!none && none.error().code == ErrorCode::bad_range);
    QVERIFY(!renderFigure(statistics({}), FigureFormat::svg, {}));
  }

  void whatAnotherRunDroppedHasAMatrixAndBothNames() {
    const FigureData figure = besideStreaming({head(0, 0, 1.25), head(0, 1, 80)});
    const QStringList texts = textsOf(renderFigure(figure, FigureFormat::svg, {}));
    for (const char* words :
         {"lost, %", "50", "1.6k",
          "lost: of the weight under full, what lies on entries that streaming:4,64 had dropped by then"}) {
      QVERIFY2(texts.contains(QString::fromUtf8(words)), qPrintable(QString::fromUtf8(words) + texts.join(u'|')));
    }
    FigureOptions named;
    named.names = {QStringLiteral("Whole"), QStringLiteral("StreamingLLM")};
    QVERIFY(textsOf(renderFigure(figure, FigureFormat::svg, named))
                .join(u'|')
                .contains(QStringLiteral("under Whole, what lies on entries that StreamingLLM had")));
    const FigureData partly = besideStreaming({head(0, 0, 1.25)}, 100);
    QVERIFY(textsOf(renderFigure(partly, FigureFormat::svg, {})).join(u'|').contains(QStringLiteral("of 100 queries")));
    // A table of two runs is no table of one.
    FigureData alone = figure;
    alone.compared.clear();
    QVERIFY(!renderFigure(alone, FigureFormat::svg, {}));
  }

  void theHeadsOfACacheHaveTheirShares() {
    std::vector<HeadSummary> heads(2);
    for (HeadSummary& each : heads) {
      each.tokens = 100;
      each.entries = 40;
      each.role_tokens = {20, 0, 80};
    }
    heads[1].kv_head = KvHeadId(1);
    heads[1].entries = 10;
    const QStringList texts = textsOf(renderFigure(ofKvHeads(heads, "model"), FigureFormat::svg, {}));
    for (const char* words :
         {"What each KV head keeps", "KV fraction, %", "Global, %", "Sliding, %", "KV head", "40", "10", "20", "80"}) {
      QVERIFY2(texts.contains(QString::fromUtf8(words)), qPrintable(QString::fromUtf8(words) + texts.join(u'|')));
    }
    QVERIFY(!texts.contains(QStringLiteral("life of Locals, tokens")));  // there are none
    // H2O has no roles.
    const QStringList measured = textsOf(renderFigure(ofKvHeads(heads, "h2o:2,2"), FigureFormat::svg, {}));
    QVERIFY(measured.contains(QStringLiteral("KV fraction, %")));
    QVERIFY(!measured.contains(QStringLiteral("Global, %")));
  }

  void manyHeadsTakeSeveralRows_data() {
    QTest::addColumn<int>("layers");
    QTest::addColumn<int>("heads");
    QTest::addRow("one") << 1 << 1;
    QTest::addRow("8 B") << 32 << 32;
    QTest::addRow("70 B") << 80 << 64;
  }

  void manyHeadsTakeSeveralRows() {
    QFETCH(const int, layers);
    QFETCH(const int, heads);
    std::vector<HeadAttention> all;
    for (int layer = 0; layer < layers; ++layer) {
      for (int at = 0; at < heads; ++at) all.push_back(head(layer, at, 1 + 0.01 * at));
    }
    const FigureData figure = statistics(all);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const QImage page = drawn(figure, {.theme = theme, .dpi = 144});
      QVERIFY(!page.isNull());
      QVERIFY(page.width() <= 2 * 600);
      QVERIFY(page.height() <= 2 * 2000);
    }
    const QImage column = drawn(figure, {.dpi = 254, .width = 120 * pointsAMillimetre});
    QCOMPARE(column.width(), 1200);
  }

  void moreThanADrawingHoldsIsRefused() {
    const auto refused = renderFigure(statistics({head(0, 5000, 1)}), FigureFormat::png, {});
    QVERIFY(!refused && refused.error().code == ErrorCode::bad_range);
  }
};

QTEST_MAIN(HeadMatricesTest)
#include "head_matrices_test.moc"
