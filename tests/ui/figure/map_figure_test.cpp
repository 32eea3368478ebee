// SPDX-License-Identifier: GPL-3.0-or-later
// Figures are files that others open: what is in them is read back with other means than they were written with.
#include <QHash>
#include <QImageReader>
#include <QTest>
#include <QXmlStreamReader>

#include "tests/ui/figure/some_figures.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/prepare_figures.h"
#include "ui/figure/reproducible_pdf.h"

using namespace natscope;
using namespace natscope::ui;
using namespace natscope::ui::test;

namespace {

/// Every object lies where the table of the file says, wherever the date was taken out.
void checkTable(const QByteArray& pdf) {
  const qsizetype startxref = pdf.lastIndexOf("startxref\n") + 10;
  const qsizetype table = pdf.mid(startxref, pdf.indexOf('\n', startxref) - startxref).toInt();
  QVERIFY(pdf.mid(table).startsWith("xref\n0 "));
  const QList<QByteArray> lines = pdf.mid(table).split('\n');
  const int count = lines[1].mid(2).toInt();
  QVERIFY(count > 5);
  for (int i = 1; i < count; ++i) {
    const qsizetype at = lines[2 + i].left(10).toInt();
    QVERIFY2(pdf.mid(at).startsWith(QByteArray::number(i) + " 0 obj"), lines[2 + i].constData());
  }
}

}  // namespace

class MapFigureTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY(prepareFigures()); }

  void pngHasProvenanceAndResolution() {
    const auto bytes = renderFigure(attention(9, 12, true), FigureFormat::png, {.dpi = 200});
    QVERIFY(bytes);
    QVERIFY(bytes->startsWith("\x89PNG\r\n\x1a\n"));
    QImage image;
    QVERIFY(image.loadFromData(*bytes, "png"));
    QCOMPARE(image.text(QStringLiteral("seed")), QStringLiteral("42"));
    QCOMPARE(image.text(QStringLiteral("natscope_version")), QStringLiteral("0.1.0 <&>"));
    QCOMPARE(image.text(QStringLiteral("model_sha256")), QString(64, u'a'));
    QCOMPARE(qRound(image.dotsPerMeterX() * 0.0254), 200);
    for (const auto& [key, value] : {std::pair{"kind", "attention"},
                                     {"layer", "2"},
                                     {"head", "1"},
                                     {"queries", "4:13"},
                                     {"keys", "0:12"},
                                     {"scale", "linear"},
                                     {"clip", "100"},
                                     {"normalise", "none"}})
      QCOMPARE(image.text(QLatin1String(key)), QLatin1String(value));
  }

  /// Every cell of the map is in the picture as a block of pixels of exactly its colour.
  void pngCellsAreExact() {
    const FigureData figure = attention(9, 12, false);
    const auto& map = std::get<Heatmap>(figure.values);
    const FigureOptions options{.dpi = 150};
    const auto bytes = renderFigure(figure, FigureFormat::png, options);
    QVERIFY(bytes);
    const QImage image = QImage::fromData(*bytes);
    const double scale = options.dpi / 72;
    const FigureLayout layout = layOut(figure, options, scale);
    const ScaleRange range = range_of(map.values, map.visible, options.scale);
    const auto pixels = static_cast<int>(std::lround(layout.cell.width() * scale));
    QCOMPARE(layout.cell.width() * scale, static_cast<double>(pixels));
    std::size_t cell = 0;
    for (int query = 0; query < 9; ++query) {
      for (int key = 0; key < 12; ++key, ++cell) {
        const Rgb wanted = map.visible[cell] != 0 ? colour_at(options.colours, place(map.values[cell], range))
                                                  : masked_colour(Theme::light);
        const int x = qRound(layout.plot.left() * scale) + key * pixels;
        const int y = qRound(layout.plot.top() * scale) + query * pixels;
        // The outermost pixels, too: the frame covers none.
        for (const QPoint at :
             {QPoint(x, y), QPoint(x + pixels / 2, y + pixels / 2), QPoint(x + pixels - 1, y + pixels - 1)}) {
          QCOMPARE(image.pixel(at) & 0xffffffU, toQRgb(wanted) & 0xffffffU);
        }
      }
    }
  }

  void svgHasTextsAndMetadata() {
    const auto bytes = renderFigure(attention(9, 12, true), FigureFormat::svg, {});
    QVERIFY(bytes);
    QXmlStreamReader xml(*bytes);
    int texts = 0;
    int images = 0;
    bool hasToken = false;
    QString metadata;
    while (!xml.atEnd()) {
      if (xml.readNext() != QXmlStreamReader::StartElement) continue;
      if (xml.name() == QLatin1String("image")) {
        ++images;
      } else if (xml.name() == QLatin1String("metadata")) {
        metadata = xml.readElementText();
      } else if (xml.name() == QLatin1String("text")) {
        ++texts;
        hasToken = xml.readElementText().trimmed() == QStringLiteral("\u00b7<a&b>") || hasToken;
      }
    }
    QVERIFY2(!xml.hasError(), qPrintable(xml.errorString()));
    QVERIFY(texts >= 9 + 12);
    QVERIFY(hasToken);
    QCOMPARE(images, 2);  // the map and the colour bar
    QVERIFY(metadata.contains(QStringLiteral("\"seed\"")));
    QVERIFY(metadata.contains(QStringLiteral("0.1.0 <&>")));
  }

  void pdfIsWholeAndNamesItsOrigin() {
    const auto bytes = renderFigure(attention(9, 12, true), FigureFormat::pdf, {});
    QVERIFY(bytes);
    QVERIFY(bytes->startsWith("%PDF-1."));
    QVERIFY(bytes->trimmed().endsWith("%%EOF"));
    QVERIFY(bytes->contains("<natscope:seed>42</natscope:seed>"));
    QVERIFY(!bytes->contains("DCTDecode"));  // no JPEG: the map is lossless
  }

  void pdfIsTheSameBytesWheneverItIsWritten() {
    qunsetenv("SOURCE_DATE_EPOCH");
    const FigureData figure = roles(3, 2, 50);  // its texts are in two fonts, whose order was a hash table's
    const auto plain = renderFigure(figure, FigureFormat::pdf, {});
    QVERIFY(plain);
    QVERIFY(!plain->contains("/CreationDate"));
    checkTable(*plain);
    QHashSeed::setDeterministicGlobalSeed();
    QCOMPARE(*renderFigure(figure, FigureFormat::pdf, {}), *plain);
    QHashSeed::resetRandomGlobalSeed();

    qputenv("SOURCE_DATE_EPOCH", "86399");
    const auto dated = renderFigure(figure, FigureFormat::pdf, {});
    qputenv("SOURCE_DATE_EPOCH", "yesterday");
    const auto undated = renderFigure(figure, FigureFormat::pdf, {});
    qunsetenv("SOURCE_DATE_EPOCH");
    QVERIFY(dated && dated->contains("/CreationDate (D:19700101235959Z)"));
    checkTable(*dated);
    QCOMPARE(withDate(*dated, std::nullopt), *plain);
    QCOMPARE(*undated, *plain);
    QCOMPARE(withDate("%PDF-1.4\n/CreationDate (D:1", 0), QByteArray("%PDF-1.4\n/CreationDate (D:1"));
  }

  void maskedColourIsNoVisibleCells() {
    FigureData figure = attention(30, 30, false);
    auto& map = std::get<Heatmap>(figure.values);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      for (const ColourMap colours : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis}) {
        const MapRaster raster = rasterOf(map, {30, 30}, {.theme = theme, .colours = colours});
        const QRgb masked = toQRgb(masked_colour(theme));
        for (int y = 0; y < 30; ++y) {
          for (int x = 0; x < 30; ++x)
            QCOMPARE(raster.image.pixel(x, y) == masked, map.visible[static_cast<std::size_t>(y * 30 + x)] == 0);
        }
      }
    }
  }

  void hiddenSinkIsMasked() {
    const FigureData figure = attention(5, 5, false);
    FigureOptions options;
    options.scale.hide_sink = true;
    const MapRaster raster = rasterOf(std::get<Heatmap>(figure.values), {5, 5}, options);
    for (int y = 0; y < 5; ++y) QCOMPARE(raster.image.pixel(0, y), toQRgb(masked_colour(Theme::light)));
  }

  /// Who smooths pictures, whatever an SVG says of them, may not smear cells into each other.
  void aCellOfAnSvgIsManyPixels() {
    const FigureData figure = attention(9, 12, false);
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(svg);
    const MapRaster raster = rasterOf(std::get<Heatmap>(figure.values), {12, 9}, {});
    int maps = 0;
    const QByteArray mark = "data:image/png;base64,";
    for (qsizetype at = svg->indexOf(mark); at >= 0; at = svg->indexOf(mark, at + 1)) {
      const qsizetype from = at + mark.size();
      const QImage map = QImage::fromData(QByteArray::fromBase64(svg->mid(from, svg->indexOf('"', from) - from)));
      if (map.width() * 9 != map.height() * 12) continue;  // the colour bar
      ++maps;
      const int times = map.width() / 12;
      QVERIFY(times >= 8);
      for (int y = 0; y < map.height(); ++y) {
        for (int x = 0; x < map.width(); ++x)
          QCOMPARE(map.pixel(x, y) & 0xffffffU, raster.image.pixel(x / times, y / times) & 0xffffffU);
      }
    }
    QCOMPARE(maps, 1);
  }

  /// In a chosen width a pixel is the largest weight that it covers, in the range of the weights.
  void aNarrowMapLosesNoLine() {
    FigureData figure = attention(2000, 2000, false);
    auto& map = std::get<Heatmap>(figure.values);
    std::ranges::fill(map.visible, 1);
    std::ranges::fill(map.values, 0.0F);
    for (std::size_t query = 0; query < 2000; ++query) map.values[query * 2000 + 777] = 1;  // one key, one column
    const FigureOptions options{.dpi = 150, .width = 200};
    const double scale = options.dpi / 72;
    const auto bytes = renderFigure(figure, FigureFormat::png, options);
    QVERIFY2(bytes, bytes ? "" : bytes.error().message.c_str());
    const QImage image = QImage::fromData(*bytes);
    QCOMPARE(image.width(), qRound(200 * scale));
    const FigureLayout layout = layOut(figure, options, scale);
    QVERIFY(layout.raster.width() < 2000);
    const int y = qRound((layout.plot.top() + 30) * scale);
    const QRgb line = toQRgb(colour_at(options.colours, 1)) & 0xffffffU;
    int found = 0;
    for (int x = 0; x < layout.raster.width(); ++x) {
      if ((image.pixel(qRound(layout.plot.left() * scale) + x, y) & 0xffffffU) != line) continue;
      // The pixels that the column touches: one or two.
      QVERIFY(x >= 777 * layout.raster.width() / 2000 && x <= 778 * layout.raster.width() / 2000);
      ++found;
    }
    QVERIFY(found == 1 || found == 2);
    QCOMPARE(image.text(QStringLiteral("drawn_columns")), QString::number(layout.raster.width()));
    QVERIFY(textsOf(renderFigure(figure, FigureFormat::svg, options))
                .join(u' ')
                .contains(u"the largest weight that it covers"));
  }

  void cellsOfAChosenSizeAreThat() {
    for (const int pixels : {1, 3}) {
      const FigureOptions options{.dpi = 100, .cellPixels = pixels};
      const FigureLayout layout = layOut(attention(700, 900, false), options, options.dpi / 72);
      QCOMPARE(layout.plot.width() * options.dpi / 72, 900.0 * pixels);
      QCOMPARE(layout.raster, QSize(900, 700));
    }
  }
};

QTEST_MAIN(MapFigureTest)
#include "map_figure_test.moc"
