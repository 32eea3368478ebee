// SPDX-License-Identifier: GPL-3.0-or-later
// A title, names and a size of texts of one's own.
#include <QImage>
#include <QSet>
#include <QTest>

#include "core/session/provenance.h"
#include "tests/ui/figure/some_figures.h"
#include "ui/figure/chart.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

namespace {

/// Whether something is drawn at the picture's very edge: then it goes on beyond it.
bool isCut(const QByteArray& png) {
  const QImage image = QImage::fromData(png);
  const QRgb paper = image.pixel(0, 0);
  for (int x = 0; x < image.width(); ++x)
    if (image.pixel(x, 0) != paper || image.pixel(x, image.height() - 1) != paper) return true;
  for (int y = 0; y < image.height(); ++y)
    if (image.pixel(0, y) != paper || image.pixel(image.width() - 1, y) != paper) return true;
  return image.isNull();
}

QSize sizeOf(const FigureData& figure, const FigureOptions& options) {
  const auto png = renderFigure(figure, FigureFormat::png, options);
  return png ? QImage::fromData(*png).size() : QSize();
}

QString wordsOf(const FigureData& figure, const FigureOptions& options) {
  return textsOf(renderFigure(figure, FigureFormat::svg, options)).join(u'|');
}

SeriesChart someChart() {
  SeriesChart chart;
  chart.title = "Perplexity against KV fraction";
  chart.x_label = "KV fraction after the last token";
  chart.y_label = "perplexity";
  chart.log_x = true;
  for (const char* name : {"learned roles", "StreamingLLM", "H2O", "full attention"})
    chart.series.push_back({name, {{{0.1, 0.1, 0.1}, {20, 19, 21}}, {{0.6, 0.6, 0.6}, {14, 13, 15}}}, false});
  return chart;
}

}  // namespace

class FigureTextsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void aTitleOfOnesOwnStandsInPlaceOfTheOtherOne() {
    for (const FigureData& figure :
         {attention(9, 9, false), roles(3, 2, 50), overview(2, 4, 30), curve(true), text(true)}) {
      const QString usual = textsOf(renderFigure(figure, FigureFormat::svg, {})).front();
      FigureOptions options;
      options.dpi = 72;
      const QSize before = sizeOf(figure, options);
      options.title = QStringLiteral("One's  own\ntitle");
      QVERIFY(wordsOf(figure, options).contains(QStringLiteral("One's own title")));
      QVERIFY(!wordsOf(figure, options).contains(usual));
      // None: its room is the plot's neighbours'.
      options.title = QString();
      QVERIFY(!wordsOf(figure, options).contains(usual));
      QCOMPARE(sizeOf(figure, options).height(), before.height() - 18);
      // A long one is broken into lines.
      options.title = QStringLiteral("word ").repeated(200);
      QVERIFY(sizeOf(figure, options).width() < std::max(before.width(), 400) + 20);
      QVERIFY(!isCut(*renderFigure(figure, FigureFormat::png, options)));
    }
  }

  /// Whoever reads the figure learns of it, whatever its title says.
  void whatWasSetByHandIsStillSaid() {
    FigureData figure = roles(3, 2, 50);
    figure.provenance.by_hand.window = 4321;
    const QString said = QString::fromStdString(in_words(figure.provenance.by_hand));
    QVERIFY(said.contains(QStringLiteral("4321")));
    QCOMPARE(wordsOf(figure, {}).count(said), 1);
    FigureOptions options;
    options.title = QString();
    QCOMPARE(wordsOf(figure, options).count(said), 1);
    FigureData compared = held(3, 2, 50);
    compared.compared.front().provenance.by_hand.window = 4321;
    QCOMPARE(wordsOf(compared, {}).count(said), 1);
    options.names = {QStringLiteral("Ours"), QStringLiteral("Theirs")};
    QCOMPARE(wordsOf(compared, options).count(said), 1);
    QVERIFY(wordsOf(compared, options).contains(QStringLiteral("Theirs: ") + said));
  }

  void runsAreCalledWhatOneCallsThem() {
    FigureData cache = curve(true);
    cache.compared = {{std::get<KvCurve>(cache.values), cache.provenance}};
    for (const FigureData& figure : {cache, held(3, 2, 50), losses(true)}) {
      FigureOptions options;
      options.names = {QStringLiteral("Ours"), QString()};
      const QString words = wordsOf(figure, options);
      QVERIFY2(words.contains(QStringLiteral("Ours")), qPrintable(words));
      const QString other = QString::fromStdString(run_name(figure.compared.front().provenance));
      QVERIFY2(words.contains(other), qPrintable(words));
      options.names = {QString(), QStringLiteral("Theirs")};
      QVERIFY(wordsOf(figure, options).contains(QStringLiteral("Theirs")));
      QVERIFY(!wordsOf(figure, options).contains(QStringLiteral("Ours")));
    }
  }

  /// The plot stays as large as it is, and nothing is cut: what has no room is refused.
  void largerTextsLeaveNothingOut() {
    const FigureData figures[] = {attention(40, 33, true),
                                  attention(300, 280, false),
                                  roles(3, 2, 50),
                                  overview(2, 4, 30),
                                  curve(true),
                                  text(true),
                                  losses(true),
                                  held(3, 2, 50)};
    for (const FigureData& figure : figures) {
      const QSize usual = sizeOf(figure, {.dpi = 100});
      for (const double size : {4.0, 6.5, 11.0, 16.0, 24.0}) {
        FigureOptions options;
        options.dpi = 100;
        options.fontSize = size;
        const auto png = renderFigure(figure, FigureFormat::png, options);
        QVERIFY(png);
        QVERIFY2(!isCut(*png), qPrintable(QString::number(size)));
        const QSize now = QImage::fromData(*png).size();
        QVERIFY2(now.width() < 2.6 * usual.width(), qPrintable(QString::number(now.width())));
        options.width = 120 * pointsAMillimetre;
        const auto narrow = renderFigure(figure, FigureFormat::png, options);
        if (!narrow) {
          QCOMPARE(narrow.error().code, ErrorCode::usage);
          QVERIFY2(size > 8, narrow.error().message.c_str());
          continue;
        }
        QVERIFY(!isCut(*narrow));
        QCOMPARE(QImage::fromData(*narrow).width(), qRound(120 / 25.4 * 100));
      }
    }
    // The plot has its size whatever its texts have.
    for (const FigureData& figure : {attention(300, 280, false), roles(3, 2, 50), curve(true)}) {
      const double usual = layOut(figure, {}, 0).plot.width();
      FigureOptions options;
      options.fontSize = 12;
      const double now = 12 / usualFontSize * layOut(figure, inLayoutPoints(options), 0).plot.width();
      QVERIFY2(std::abs(now - usual) < 0.02 * usual, qPrintable(QString::number(now / usual)));
    }
    for (const double size : {3.0, 25.0, std::numeric_limits<double>::quiet_NaN()}) {
      FigureOptions options;
      options.fontSize = size;
      QCOMPARE(renderFigure(roles(1, 1, 3), FigureFormat::svg, options).error().code, ErrorCode::usage);
    }
  }

  /// What is seen before it is written is what is written.
  void aPreviewIsTheFigure() {
    for (const FigureData& figure : {attention(40, 33, true), roles(3, 2, 50), curve(true), text(true)}) {
      const FigureOptions options{.dpi = 72};
      const QImage written = QImage::fromData(*renderFigure(figure, FigureFormat::png, options));
      const auto preview = previewFigure(figure, FigureFormat::png, options, written.size());
      QVERIFY(preview);
      QCOMPARE(preview->image.size(), written.size());
      QCOMPARE(preview->size.toSize(), written.size());
      QCOMPARE(preview->image.convertToFormat(QImage::Format_RGB32), written.convertToFormat(QImage::Format_RGB32));
      const auto small = previewFigure(figure, FigureFormat::pdf, options, QSize(90, 300));
      QVERIFY(small && small->image.width() <= 90 && small->image.height() <= 300);
    }
    // A lone visible cell of many does not vanish where a pixel stands for several.
    RoleMap map{1, 1, 2000, std::vector<Role>(2000, Role::sliding), std::vector<std::uint8_t>(2000, 1)};
    map.roles[1001] = Role::global;
    FigureData figure = roles(1, 1, 2000);
    figure.values = map;
    const auto preview = previewFigure(figure, FigureFormat::png, {.cellPixels = 1}, QSize(300, 300));
    QVERIFY(preview && preview->remark.isEmpty());
    QSet<QRgb> colours;
    for (int x = 40; x < preview->image.width() - 20; ++x) colours.insert(preview->image.pixel(x, 22));
    QVERIFY(colours.size() > 1);
    QCOMPARE(previewFigure(roles(1, 1, 3), FigureFormat::png, {.dpi = 1}, QSize(99, 99)).error().code,
             ErrorCode::usage);
  }

  void cellsThatShareAPixelAreSaid() {
    QVERIFY(remarkOnCells(roles(3, 2, 50), FigureFormat::png, {}).isEmpty());
    QVERIFY(
        remarkOnCells(roles(3, 2, 5000), FigureFormat::png, {.dpi = 72}).contains(QStringLiteral("tokens a column")));
    QVERIFY(remarkOnCells(roles(3, 2, 5000), FigureFormat::png, {.cellPixels = 1}).isEmpty());
    const double narrow = 57 * pointsAMillimetre;
    QVERIFY(remarkOnCells(attention(300, 280, false), FigureFormat::png, {.dpi = 72, .width = narrow})
                .contains(QStringLiteral("280 × 300 cells on ")));
    QVERIFY(remarkOnCells(attention(300, 280, false), FigureFormat::png, {.dpi = 600, .width = narrow}).isEmpty());
    QVERIFY(remarkOnCells(curve(true), FigureFormat::svg, {}).isEmpty());
  }

  void chartsDoSo() {
    for (const double size : {4.0, 8.0, 12.0, 24.0}) {
      for (const double millimetres : {0.0, 60.0, 89.0, 180.0}) {
        SeriesChart chart = someChart();
        for (const bool isLong : {false, true}) {
          if (isLong) {
            chart.title += ", of a model whose name is long and of texts that came from many books";
            chart.series[1].name = "a method that was called by its whole name in the paper, and then some";
          }
          const auto png = renderChart(chart, FigureFormat::png,
                                       {.dpi = 100, .width = millimetres * pointsAMillimetre, .fontSize = size});
          const QByteArray what = QByteArray::number(size) + " pt, " + QByteArray::number(millimetres) + " mm";
          if (!png) {
            QVERIFY2(png.error().code == ErrorCode::usage && size > 8, what.constData());
            continue;
          }
          QVERIFY2(!isCut(*png), what.constData());
        }
      }
    }
    SeriesChart chart = someChart();
    const auto withTitle = renderChart(chart, FigureFormat::png, {.dpi = 72});
    chart.title.clear();
    const auto without = renderChart(chart, FigureFormat::png, {.dpi = 72});
    QVERIFY(QImage::fromData(*without).height() < QImage::fromData(*withTitle).height());
  }
};

QTEST_MAIN(FigureTextsTest)
#include "figure_texts_test.moc"
