// SPDX-License-Identifier: GPL-3.0-or-later
#include <QImageReader>
#include <QTest>
#include <QXmlStreamReader>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/prepare_figures.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

class OverviewFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  /// Every cell of every map of an overview is in the picture, in the one range of all; what is not there is crossed
  /// out.
  void overviewCellsAreExact() {
    const FigureData figure = overview(2, 4, 30, true);
    const auto& maps = std::get<HeadOverview>(figure.values);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const FigureOptions options{.theme = theme, .dpi = 144};
      const auto bytes = renderFigure(figure, FigureFormat::png, options);
      QVERIFY(bytes);
      const QImage image = QImage::fromData(*bytes);
      const double scale = options.dpi / 72;
      const FigureLayout layout = layOut(figure, options, scale);
      QCOMPARE(layout.mapPixels, maps.side);
      const ScaleRange range = range_of(maps.largest, maps.visible, options.scale);
      const auto pixels = static_cast<int>(std::lround(layout.cell.width() * scale));
      QVERIFY(pixels >= 3);
      int crossed = 0;
      for (std::size_t row = 0; row < 2; ++row) {
        for (std::int32_t head = 0; head < 4; ++head) {
          const int left = qRound(layout.plot.left() * scale) + head * (layout.mapPixels + layout.gapPixels) * pixels;
          const int top = qRound(layout.plot.top() * scale) +
                          static_cast<int>(row) * (layout.mapPixels + layout.gapPixels) * pixels;
          const auto pixelOf = [&](std::int32_t query, std::int32_t key) {
            return image.pixel(left + key * pixels + pixels / 2, top + query * pixels + pixels / 2) & 0xffffffU;
          };
          if (maps.has_map[maps.index(row, HeadId(head))] == 0) {
            QCOMPARE(pixelOf(3, 12), inkOf(theme).paper & 0xffffffU);
            QVERIFY(pixelOf(12, 12) != (inkOf(theme).paper & 0xffffffU));
            ++crossed;
            continue;
          }
          std::size_t cell = maps.index(row, HeadId(head)) * maps.cells();
          for (std::int32_t query = 0; query < maps.side; ++query) {
            for (std::int32_t key = 0; key < maps.side; ++key, ++cell) {
              const bool isEdge = query == 0 || key == 0 || query == maps.side - 1 || key == maps.side - 1;
              const Rgb wanted = maps.visible[cell] != 0 ? colour_at(options.colours, place(maps.largest[cell], range))
                                                         : masked_colour(theme);
              if (!isEdge) QCOMPARE(pixelOf(query, key), toQRgb(wanted) & 0xffffffU);
            }
          }
        }
      }
      QCOMPARE(crossed, 4);
    }
  }

  void overviewSaysWhatItShows() {
    FigureOptions options;
    options.scale.normalise = Normalise::row;  // of one map: there is none here
    const auto svg = renderFigure(overview(2, 4, 600, true), FigureFormat::svg, options);
    QVERIFY(svg);
    QXmlStreamReader xml(*svg);
    QStringList texts;
    int images = 0;
    while (!xml.atEnd()) {
      if (xml.readNext() != QXmlStreamReader::StartElement) continue;
      if (xml.name() == QLatin1String("image")) ++images;
      if (xml.name() == QLatin1String("text")) texts << xml.readElementText().trimmed();
    }
    QVERIFY2(!xml.hasError(), qPrintable(xml.errorString()));
    QCOMPARE(images, 2);  // the maps and the colour bar
    for (const char* words : {"Attention of all heads", "layer", "query head", "3", "KV 1", "attention weight",
                              "crossed out: not recorded"})
      QVERIFY2(texts.contains(QLatin1String(words)), words);
    QVERIFY(texts.contains(
        QStringLiteral("600 tokens: queries down, keys across; a cell is the largest of 4 × 4 weights")));
    QVERIFY(svg->contains("cell_tokens"));
    options.scale.hide_sink = true;
    QVERIFY(renderFigure(overview(1, 2, 600), FigureFormat::svg, options)->contains("tokens 0 to 3 hidden"));
    QVERIFY(!renderFigure(overview(1, 2, 600), FigureFormat::svg, options)->contains("crossed out"));
  }
};

QTEST_MAIN(OverviewFigureTest)
#include "overview_figure_test.moc"
