// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTest>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class CurveFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void runsStandBesideEachOther() {
    for (const bool withBytes : {true, false}) {
      FigureData figure = curve(true);
      figure.provenance.policy = "model";
      FigureData other = curve(withBytes);
      other.provenance.policy = "streaming:4,16";
      other.provenance.by_hand.window = 3;
      QVERIFY(compare(figure, other));
      const auto svg = renderFigure(figure, FigureFormat::svg, {});
      QVERIFY(svg);
      QVERIFY(svg->contains("live, " + QByteArray::fromStdString(run_name(figure.provenance))));
      QVERIFY(svg->contains("live, streaming:4,16 (W 3 set by hand)"));
      QVERIFY(svg->contains("compared_1_policy"));
      // In one unit: bytes where they are known of both.
      QCOMPARE(svg->contains("KV cache, KiB"), withBytes);
      QCOMPARE(svg->contains("KV cache, entries"), !withBytes);
      // A line of the legend each: the picture is higher.
      const auto alone = renderFigure(curve(true), FigureFormat::png, {.dpi = 72});
      const auto both = renderFigure(figure, FigureFormat::png, {.dpi = 72});
      QVERIFY(alone && both);
      QVERIFY(QImage::fromData(*both).height() > QImage::fromData(*alone).height());
    }
    FigureData full = curve(true);
    for (std::size_t i = 0; i < most_compared; ++i) QVERIFY(compare(full, curve(true)));
    QVERIFY(!compare(full, curve(true)));
    FigureData map = attention(3, 3, false);
    QVERIFY(!compare(map, curve(true)));
    QVERIFY(!compare(full, attention(3, 3, false)));
  }

  /// Each step's share of its own dense cache, in which the dense line is all of it.
  void sharesNeedNoDenseLine() {
    for (const bool withBytes : {true, false}) {
      const FigureData figure = curve(withBytes);
      const auto amount = renderFigure(figure, FigureFormat::svg, {});
      const auto share = renderFigure(figure, FigureFormat::svg, {.cacheAsShare = true});
      QVERIFY(amount && share);
      QVERIFY(amount->contains("dense (full attention)") && !share->contains("dense (full attention)"));
      QVERIFY(share->contains("KV cache, % of full attention"));
    }
    // Live is 300 of 1024 bytes at every step: a line that stays where it is, whatever the size.
    FigureData figure = curve(true);
    std::get<KvCurve>(figure.values).allocated_bytes.clear();
    const auto first = renderFigure(figure, FigureFormat::svg, {.cacheAsShare = true});
    for (std::int64_t& bytes : std::get<KvCurve>(figure.values).dense_bytes) bytes *= 8;
    for (std::int64_t& bytes : std::get<KvCurve>(figure.values).live_bytes) bytes *= 8;
    const auto larger = renderFigure(figure, FigureFormat::svg, {.cacheAsShare = true});
    QVERIFY(first && larger);
    QCOMPARE(*larger, *first);
  }

  /// What was allocated within a prompt nobody knows.
  void allocatedBeginsWhereThePromptEnds() {
    FigureData figure = curve(true);
    const auto whole = renderFigure(figure, FigureFormat::svg, {});
    auto& bytes = std::get<KvCurve>(figure.values).allocated_bytes;
    std::fill_n(bytes.begin(), 29, 0);
    const auto point = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(whole && point);
    QVERIFY(point->count("ellipse") + point->count("circle") > whole->count("ellipse") + whole->count("circle"));
  }

  /// One dense line would be the measure of the other model's cache, too.
  void modelsAreToldApart() {
    for (const bool withBytes : {true, false}) {
      FigureData figure = curve(withBytes);
      figure.provenance.model_sha256 = std::string(64, 'a');
      FigureData other = curve(withBytes);
      other.provenance.model_sha256 = std::string(64, 'b');
      FigureData larger = other;
      auto& kv = std::get<KvCurve>(larger.values);
      kv.layers = 3;
      kv.entries.resize(static_cast<std::size_t>(kv.length) * 6, 2);
      for (std::int64_t& bytes : kv.dense_bytes) bytes = bytes * 3 / 2;
      const QByteArray dense("dense (full attention)");
      const auto drawn = [&](FigureData beside) {
        FigureData both = figure;
        return compare(both, std::move(beside)) ? renderFigure(both, FigureFormat::svg, {}).value_or(QByteArray())
                                                : QByteArray();
      };
      const QByteArray shapes = drawn(std::move(larger));
      QCOMPARE(shapes.count(dense), 2);
      for (const char* const name : {"2 layers, 2 KV heads", "3 layers, 2 KV heads"}) {
        QVERIFY2(shapes.contains(dense + ", " + name), name);
        QVERIFY2(shapes.contains("live, " + QByteArray::fromStdString(run_name(figure.provenance)) + ", " + name),
                 name);
      }
      const QByteArray weights = drawn(std::move(other));
      QCOMPARE(weights.count(dense), 1);
      QVERIFY(weights.contains("model aaaaaaaa") && weights.contains("model bbbbbbbb"));
      FigureData again = figure;
      again.provenance.model_sha256.clear();  // not known yet
      QVERIFY(!drawn(std::move(again)).contains(", model "));
    }
  }

  /// A vector file of a long run holds what can be seen of its curves, peaks that last a step among it.
  void longCurvesAreThinnedButKeepTheirPeaks() {
    constexpr std::int64_t length = 100'000;
    const auto drawn = [](std::int64_t peak) {
      KvCurve kv;
      kv.length = length;
      kv.layers = kv.kv_heads = 1;
      for (std::int64_t step = 0; step < length; ++step)
        kv.entries.push_back(static_cast<std::int32_t>(step == peak ? length : step / 3 + step % 7));
      FigureData figure;
      figure.kind = FigureKind::kv;
      figure.values = std::move(kv);
      figure.provenance = someProvenance();
      return renderFigure(figure, FigureFormat::svg, {});
    };
    const auto plain = drawn(-1);
    QVERIFY(plain);
    QVERIFY2(plain->size() < 300'000, qPrintable(QString::number(plain->size())));
    QVERIFY(plain->contains("KV cache, entries"));
    for (const std::int64_t peak : {0, 1, 5'003, 77'777, 99'999}) {
      const auto peaked = drawn(peak);
      QVERIFY(peaked);
      QVERIFY(*peaked != *plain);
    }
  }

  void millionsOfEntriesAreCountedInMillions() {
    FigureData figure = curve(false);
    auto& kv = std::get<KvCurve>(figure.values);
    for (std::int32_t& entries : kv.entries) entries = 600'000;  // 2.4 million over four heads
    const auto bytes = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(bytes);
    QVERIFY(bytes->contains("KV cache, million entries"));
    QVERIFY(!bytes->contains("e+0"));
  }
};

QTEST_MAIN(CurveFigureTest)
#include "curve_figure_test.moc"
