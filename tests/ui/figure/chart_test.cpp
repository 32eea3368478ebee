// SPDX-License-Identifier: GPL-3.0-or-later
// Charts of studies, read back from the files they make.
#include "ui/figure/chart.h"
#include "ui/figure/prepare_figures.h"

#include <QImage>
#include <QTest>
#include <QXmlStreamReader>
#include <cmath>
#include <limits>

using namespace natscope;
using namespace natscope::ui;

namespace {

SeriesChart someChart() {
  SeriesChart chart;
  chart.title = "A title <&>";
  chart.x_label = "KV fraction";
  chart.y_label = "perplexity";
  chart.log_x = true;
  chart.series = {{"learned", {{{0.05, 0.04, 0.06}, {0.9, 0.88, 0.93}}, {{0.4, 0.4, 0.4}, {0.97, 0.97, 0.97}}}, false},
                  {"baseline", {{{0.125, 0.125, 0.125}, {1.05, 1.04, 1.06}}}, true}};
  return chart;
}

GridChart someGrid() {
  GridChart grid;
  grid.title = "Keys";
  grid.row_label = "tokens";
  grid.column_label = "depth";
  grid.rows = {"256", "512"};
  grid.columns = {"0–50", "50–100"};
  grid.panels = {{"full", "all of it", {0.0, 1.0, 0.25, std::nullopt}}, {"half", {}, {0.5, 0.5, 0.5, 0.5}}};
  return grid;
}

/// All texts of an svg, in order.
QStringList textsOf(const QByteArray& svg) {
  QStringList texts;
  QXmlStreamReader xml(svg);
  while (!xml.atEnd()) {
    if (xml.readNext() == QXmlStreamReader::StartElement && xml.name() == QLatin1String("text"))
      texts << xml.readElementText(QXmlStreamReader::IncludeChildElements).trimmed();
  }
  if (xml.hasError()) return {xml.errorString()};
  return texts;
}

}  // namespace

class ChartTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void whatXmlHasNoCharacterForIsNoneInIt() {
    SeriesChart chart = someChart();
    chart.title = "A \x01 title \xef\xbf\xbf";
    chart.series[0].name = "a \xef\xbf\xbe series";
    chart.provenance = "{\"x\": \"\x02\"}";
    const auto svg = renderChart(chart, FigureFormat::svg, {.theme = Theme::light, .dpi = 300});
    QVERIFY(svg);
    QVERIFY(textsOf(*svg).contains(QStringLiteral("a \ufffd series")));
    const auto pdf = renderChart(chart, FigureFormat::pdf, {.theme = Theme::light, .dpi = 300});
    QVERIFY(pdf);
    const qsizetype begin = pdf->indexOf("<x:xmpmeta");
    const QByteArray end("</x:xmpmeta>");
    QXmlStreamReader xmp(pdf->mid(begin, pdf->indexOf(end) - begin + end.size()));
    while (!xmp.atEnd()) xmp.readNext();
    QVERIFY2(!xmp.hasError(), qPrintable(xmp.errorString()));
  }

  void aNoteAndLooksOfItsOwn() {
    SeriesChart chart = someChart();
    chart.note = "Said under the title";
    chart.series[0].look = 4;
    const auto svg = renderChart(chart, FigureFormat::svg, {.theme = Theme::light, .dpi = 300});
    QVERIFY(svg);
    QVERIFY(textsOf(*svg).contains(QStringLiteral("Said under the title")));
    QVERIFY(svg->contains("#cc79a7"));
    QVERIFY(!renderChart(someChart(), FigureFormat::svg, {.theme = Theme::light, .dpi = 300})->contains("#cc79a7"));
  }

  void saysEverythingAsText() {
    const auto svg = renderChart(someChart(), FigureFormat::svg, {.theme = Theme::light, .dpi = 300});
    QVERIFY(svg);
    const QStringList texts = textsOf(*svg);
    for (const char* wanted : {"A title <&>", "KV fraction", "perplexity", "learned", "baseline", "12.5 %"})
      QVERIFY2(texts.contains(QString::fromUtf8(wanted)), qPrintable(texts.join(QLatin1Char('|'))));
  }

  void drawsEverySeriesInItsColour() {
    const auto png = renderChart(someChart(), FigureFormat::png, {.theme = Theme::light, .dpi = 144});
    QVERIFY(png);
    const QImage image = QImage::fromData(*png, "png");
    QVERIFY(!image.isNull());
    int first = 0, second = 0;
    for (int y = 0; y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) {
        first += image.pixel(x, y) == qRgb(0x99, 0x99, 0x99) ? 1 : 0;
        second += image.pixel(x, y) == qRgb(0xd5, 0x5e, 0x00) ? 1 : 0;
      }
    }
    QVERIFY(first > 50);
    QVERIFY(second > 20);
  }

  void refusesWhatHasNoPlace() {
    SeriesChart chart = someChart();
    chart.series[0].points[0].x.low = 0;
    QCOMPARE(renderChart(chart, FigureFormat::svg, {.theme = Theme::light, .dpi = 300}).error().code,
             ErrorCode::bad_range);
    chart = someChart();
    chart.series[1].points[0].y.high = std::numeric_limits<double>::quiet_NaN();
    QCOMPARE(renderChart(chart, FigureFormat::svg, {.theme = Theme::light, .dpi = 300}).error().code,
             ErrorCode::bad_range);
    QCOMPARE(renderChart({}, FigureFormat::svg, {.theme = Theme::light, .dpi = 300}).error().code,
             ErrorCode::bad_range);
    QCOMPARE(renderChart(someChart(), FigureFormat::png, {.theme = Theme::light, .dpi = 5}).error().code,
             ErrorCode::usage);
  }

  void drawsOnePointAndEqualValues() {
    SeriesChart chart = someChart();
    chart.series = {{"one", {{{1, 1, 1}, {1, 1, 1}}}, false}};
    for (const auto format : {FigureFormat::png, FigureFormat::svg, FigureFormat::pdf})
      QVERIFY(renderChart(chart, format, {.theme = Theme::dark, .dpi = 100}));
  }

  void gridsSayTheirShares() {
    const auto svg = renderGrid(someGrid(), FigureFormat::svg, Theme::light, 300);
    QVERIFY(svg);
    const QStringList texts = textsOf(*svg);
    QCOMPARE(texts.count(QStringLiteral("50")), 4);
    QVERIFY(texts.contains(QStringLiteral("100")));
    QVERIFY(texts.contains(QStringLiteral("25")));
    QVERIFY(texts.contains(QStringLiteral("–")));
    QVERIFY(texts.contains(QStringLiteral("512")));
    QVERIFY(texts.contains(QStringLiteral("all of it")));
    GridChart grid = someGrid();
    grid.panels[1].shares.pop_back();
    QCOMPARE(renderGrid(grid, FigureFormat::svg, Theme::light, 300).error().code, ErrorCode::bad_arrays);
    QCOMPARE(renderGrid({}, FigureFormat::svg, Theme::light, 300).error().code, ErrorCode::bad_range);
  }

  void gridsGrowWithPanelsAndNames() {
    const auto sizeOf = [](const GridChart& grid) {
      const auto png = renderGrid(grid, FigureFormat::png, Theme::light, 72);
      return png ? QImage::fromData(*png, "png").size() : QSize();
    };
    GridChart grid = someGrid();
    const QSize two = sizeOf(grid);
    grid.panels.resize(4, grid.panels[1]);
    const QSize four = sizeOf(grid);
    QVERIFY(four.width() > two.width());
    QCOMPARE(four.height(), two.height());
    // What has no room beside them stands below, with lengths of its own.
    grid.panels.push_back(grid.panels[1]);
    QCOMPARE(sizeOf(grid).width(), four.width());
    QVERIFY(sizeOf(grid).height() > four.height());
    QCOMPARE(textsOf(*renderGrid(grid, FigureFormat::svg, Theme::light, 300)).count(QStringLiteral("512")), 2);
    // A name that is wider than its cells takes room, and so does the title.
    grid = someGrid();
    grid.panels[1].name = "a name that no two cells of thirty points could hold beside another";
    QVERIFY(sizeOf(grid).width() > two.width() + 100);
    grid = someGrid();
    grid.title =
        "A title that is wider than everything that stands below it, which is not much at all, two small grids";
    QVERIFY(sizeOf(grid).width() > two.width());
    QCOMPARE(sizeOf(grid).height(), two.height());
  }

  void gridsSayWhereTheirNumbersComeFrom() {
    GridChart grid = someGrid();
    grid.provenance = R"({"results": 7})";
    QVERIFY(renderGrid(grid, FigureFormat::svg, Theme::light, 300)->contains("&quot;results&quot;: 7"));
  }
};

QTEST_MAIN(ChartTest)
#include "chart_test.moc"
