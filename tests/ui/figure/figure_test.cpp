// SPDX-License-Identifier: GPL-3.0-or-later
// Figures are files that others open: what is in them is read back with other means than they were written with.
#include "ui/figure/figure.h"

#include <QImageReader>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>
#include <set>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_layout.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/token_label.h"

using namespace natscope;
using namespace natscope::ui;

namespace {

Provenance someProvenance() {
  Provenance provenance;
  provenance.window = 16;
  provenance.dtype = "float32";
  provenance.seed = 42;
  provenance.model_sha256 = std::string(64, 'a');
  provenance.prompt_sha256 = std::string(64, 'b');
  provenance.natscope_version = "0.1.0 <&>";
  provenance.policy = "model";
  return provenance;
}

FigureData attention(std::int32_t queries, std::int32_t keys, bool withTexts) {
  Heatmap map;
  map.layer = LayerId(2);
  map.head = HeadId(1);
  map.queries = {4, 4 + queries};
  map.keys = {0, keys};
  for (std::int32_t query = 0; query < queries; ++query) {
    for (std::int32_t key = 0; key < keys; ++key) {
      const bool isSeen = key <= query + 4 && (key + query) % 3 != 0;
      map.visible.push_back(isSeen ? 1 : 0);
      map.values.push_back(isSeen ? static_cast<float>((key * 7 + query) % 50) / 50.0F : 0.0F);
    }
  }
  FigureData figure;
  figure.kind = FigureKind::attention;
  figure.values = std::move(map);
  for (std::int32_t token = 0; token < 4 + std::max(queries, keys); ++token) {
    figure.tokens.push_back(token);
    if (withTexts) figure.token_texts.push_back(token == 3 ? " <a&b>" : " t" + std::to_string(token));
  }
  figure.provenance = someProvenance();
  return figure;
}

FigureData roles(std::int32_t layers, std::int32_t heads, std::int64_t length) {
  RoleMap map{layers, heads, length, {}};
  for (std::int64_t i = 0; i < layers * heads * length; ++i) map.roles.push_back(static_cast<Role>(i * 7 % 3));
  map.is_held = held_by_roles(map, 16);
  FigureData figure;
  figure.kind = FigureKind::roles;
  figure.values = std::move(map);
  figure.provenance = someProvenance();
  return figure;
}

/// Maps without values are not there.
FigureData overview(std::int32_t layers, std::int32_t heads, std::int64_t tokens, bool isPartly = false) {
  std::vector<LayerId> rows;
  for (std::int32_t layer = 0; layer < layers; ++layer) rows.emplace_back(layer);
  HeadOverview maps = *empty_overview(rows, heads, std::max(1, heads / 2), tokens);
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    for (std::int32_t head = 0; head < heads; ++head) {
      if (isPartly && (layer + head) % 2 != 0) continue;
      AttentionTile tile;
      tile.key = overview_tile(LayerId(layer), HeadId(head), tokens);
      tile.tokens = tokens;
      tile.rows = tile.columns = maps.side;
      for (std::int32_t cell = 0; cell < maps.side * maps.side; ++cell) {
        const std::int32_t query = cell / maps.side;
        const std::int32_t key = cell % maps.side;
        const bool isSeen = key <= query && (query + key + head) % 3 != 0;
        tile.visible_share.push_back(isSeen ? 1.0F : 0.0F);
        tile.maximum.push_back(isSeen ? static_cast<float>((key * 7 + query + layer) % 50) / 50.0F : 0.0F);
      }
      if (!put(maps, tile)) qFatal("a tile that does not fit");
    }
  }
  FigureData figure;
  figure.provenance = someProvenance();
  return overview_figure(std::move(maps), std::move(figure));
}

FigureData text(bool isOfHead, bool hasRoles = true) {
  FigureData figure;
  figure.kind = FigureKind::text;
  figure.provenance = someProvenance();
  ColouredText shown;
  shown.range = {2, 42};
  if (isOfHead) shown.head = MapId{LayerId(3), HeadId(5)};
  for (std::int32_t token = 0; token < 50; ++token) {
    figure.tokens.push_back(token);
    figure.token_texts.push_back(token % 9 == 8 ? "\n" : token == 3 ? " <a&b>" : " word" + std::to_string(token));
    if (token >= 40) continue;
    if (isOfHead && hasRoles) shown.roles.push_back(static_cast<Role>(token % 3));
    if (isOfHead) shown.is_held.push_back(token % 2 == 0 ? 1 : 0);
    shown.held_share.push_back(static_cast<float>(token) / 40);
  }
  figure.values = std::move(shown);
  return figure;
}

FigureData curve(bool withBytes) {
  KvCurve kv;
  kv.length = 30;
  kv.layers = 2;
  kv.kv_heads = 2;
  for (int step = 0; step < 30; ++step) {
    for (int head = 0; head < 4; ++head) kv.entries.push_back(step / 2 + head);
    kv.allocated_bytes.push_back(4096 * (step / 8 + 1));
    if (!withBytes) continue;
    kv.dense_bytes.push_back((step + 1) * 1024);
    kv.live_bytes.push_back((step + 1) * 300);
  }
  FigureData figure;
  figure.kind = FigureKind::kv;
  figure.values = std::move(kv);
  figure.provenance = someProvenance();
  return figure;
}

}  // namespace

class FigureTest : public QObject {
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
        // One pixel in from the border, which may carry the frame.
        for (const QPoint at :
             {QPoint(x + 2, y + 2), QPoint(x + pixels / 2, y + pixels / 2), QPoint(x + pixels - 3, y + pixels - 3)}) {
          QCOMPARE(image.pixel(at) & 0xffffffU, toQRgb(wanted) & 0xffffffU);
        }
      }
    }
  }

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

  void everyKindIsDrawnInEveryFormatAndTheme() {
    const FigureData figures[] = {attention(40, 33, true),
                                  attention(1, 1, true),
                                  attention(300, 280, false),
                                  roles(3, 2, 50),
                                  roles(1, 1, 1),
                                  overview(2, 4, 30),
                                  overview(1, 1, 1),
                                  overview(3, 32, 300, true),
                                  curve(true),
                                  curve(false),
                                  text(true),
                                  text(false),
                                  text(true, false)};
    for (FigureData figure : figures) {
      for (const FigureKind kind :
           {figure.kind, figure.kind == FigureKind::attention ? FigureKind::mask : figure.kind}) {
        figure.kind = kind;
        if (auto* map = std::get_if<Heatmap>(&figure.values)) map->kind = kind;
        for (const FigureFormat format : {FigureFormat::png, FigureFormat::svg, FigureFormat::pdf}) {
          for (const Theme theme : {Theme::light, Theme::dark}) {
            const auto bytes = renderFigure(figure, format, {.theme = theme, .dpi = 100});
            QVERIFY2(bytes, bytes ? "" : bytes.error().message.c_str());
            QVERIFY(bytes->size() > 500);
          }
        }
      }
    }
  }

  void aTextIsTextWithItsLegend() {
    const auto shown = [](const FigureData& figure) {
      const auto bytes = renderFigure(figure, FigureFormat::svg, {});
      QXmlStreamReader xml(bytes ? *bytes : QByteArray());
      QStringList texts;
      while (!xml.atEnd()) {
        if (xml.readNext() == QXmlStreamReader::StartElement && xml.name() == u"text") texts << xml.readElementText();
      }
      return texts;
    };
    const QStringList roles = shown(text(true));
    QVERIFY(roles.contains(QStringLiteral("Token roles, layer 3, head 5")));
    QVERIFY(roles.contains(QStringLiteral("pale: dropped by the end")));
    // Tokens 2 … 41 in their order, with nothing of the others.
    QStringList words = roles.filter(QStringLiteral("word"));
    QCOMPARE(words.size(), 35);
    QCOMPARE(words.front().trimmed(), QStringLiteral("word2"));
    QCOMPARE(words.back().trimmed(), QStringLiteral("word41"));
    QVERIFY(roles.contains(QStringLiteral(" <a&b>")) || roles.contains(QStringLiteral("<a&b>")));
    QVERIFY(shown(text(false)).contains(QStringLiteral("by all heads")));
    QVERIFY(shown(text(true, false)).contains(QStringLiteral("dropped by the end (H2O has no roles)")));
  }

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

  void theColourBarSaysWhereItIsCut() {
    FigureOptions options;
    options.scale.kind = ScaleKind::log;
    QVERIFY(!renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≥ "));
    QVERIFY(renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≤ "));
    options.scale.clip_percentile = 80;
    QVERIFY(renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≥ "));
    options.scale.kind = ScaleKind::linear;
    QVERIFY(!renderFigure(attention(9, 12, false), FigureFormat::svg, options)->contains("≤ "));
  }

  void aFixedRangeIsDrawnAndSaid() {
    FigureOptions options;
    options.scale.range = FixedRange{0.125, 2};
    const MapRaster raster = rasterOf(std::get<Heatmap>(attention(9, 12, false).values), options);
    QCOMPARE(raster.range.low, 0.125);
    QCOMPARE(raster.range.high, 2.0);
    const auto png = renderFigure(attention(9, 12, false), FigureFormat::png, options);
    QVERIFY(png);
    QCOMPARE(QImage::fromData(*png).text(QStringLiteral("range")), QStringLiteral("0.125:2"));
    const auto svg = renderFigure(overview(2, 2, 30), FigureFormat::svg, options);
    QVERIFY(svg->contains("≤ 0.125"));
    QVERIFY(svg->contains("≥ 2"));
  }

  /// Round values between the ends, none in another one's way.
  void theColourBarsMarksAreRound() {
    const auto said = [](const ScaleRange& range, double length) {
      QStringList texts;
      double before = -1;
      for (const BarTick& tick : barTicks(range, {.kind = range.kind}, length, 9)) {
        if ((tick.level - before) * length < 9 - 1e-9) return QStringList{QStringLiteral("too close")};
        before = tick.level;
        texts << tick.text;
      }
      return texts;
    };
    const auto list = [](const char* words) { return QString::fromUtf8(words).split(u' '); };
    const auto log = [&](double low, double high, double length) { return said({low, high, ScaleKind::log}, length); };
    QCOMPARE(log(9.3e-5, 0.37, 160).first(), QStringLiteral("≤ 9.3e-5"));
    QCOMPARE(log(9.3e-5, 0.37, 160).mid(1, 4), list("0.0002 0.0005 0.001 0.002"));
    QCOMPARE(log(9.3e-5, 0.37, 80).mid(1, 3), list("0.001 0.01 0.1"));
    QCOMPARE(log(9.3e-5, 0.37, 160).last(), QStringLiteral("0.37"));
    QCOMPARE(log(0.0093, 0.95, 160).mid(1), list("0.02 0.05 0.1 0.2 0.5 0.95"));
    QCOMPARE(log(1e-6, 1, 112).mid(1), list("1e-5 0.0001 0.001 0.01 0.1 1"));
    QCOMPARE(log(1e-6, 1, 30).mid(1), list("0.0001 0.01 1"));
    QCOMPARE(log(0.02, 0.04, 160).mid(1, 2), list("0.0225 0.025"));
    QCOMPARE(said({0, 0.83, ScaleKind::linear}, 160), list("0 0.2 0.4 0.6 0.83"));
    QCOMPARE(said({0, 1, ScaleKind::linear}, 40), list("0 0.5 1"));
    QCOMPARE(said({0, 1, ScaleKind::linear}, 10), list("0 1"));
    // Every mark within a log scale is 1, 2 or 5 times a power of ten.
    for (const double low : {1e-6, 3e-5, 0.004}) {
      for (const double length : {30.0, 60.0, 112.0, 160.0}) {
        QStringList texts = log(low, 0.9, length);
        texts.removeFirst();
        texts.removeLast();
        for (const QString& text : texts) {
          const double digits = text.toDouble() / std::pow(10, std::floor(std::log10(text.toDouble()) + 1e-9));
          QVERIFY2(std::abs(digits - 1) < 1e-6 || std::abs(digits - 2) < 1e-6 || std::abs(digits - 5) < 1e-6,
                   qPrintable(text));
        }
      }
    }
  }

  void maskedColourIsNoVisibleCells() {
    FigureData figure = attention(30, 30, false);
    auto& map = std::get<Heatmap>(figure.values);
    for (const Theme theme : {Theme::light, Theme::dark}) {
      for (const ColourMap colours : {ColourMap::viridis, ColourMap::magma, ColourMap::cividis}) {
        const MapRaster raster = rasterOf(map, {.theme = theme, .colours = colours});
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
    const MapRaster raster = rasterOf(std::get<Heatmap>(figure.values), options);
    for (int y = 0; y < 5; ++y) QCOMPARE(raster.image.pixel(0, y), toQRgb(masked_colour(Theme::light)));
  }

  void droppedRolesAreFaded() {
    RoleMap map{1, 1, 4, {Role::global, Role::local, Role::global, Role::sliding}};
    map.is_held = held_by_roles(map, 0);
    const MapRaster raster = rasterOf(map, true, {});
    QCOMPARE(raster.image.pixel(0, 0), toQRgb(role_colour(Role::global)));
    QCOMPARE(raster.image.pixel(1, 0), fadedRoleColour(Role::local, Theme::light));    // ended by token 2
    QCOMPARE(raster.image.pixel(3, 0), fadedRoleColour(Role::sliding, Theme::light));  // W = 0: gone at once
    map.is_held = held_by_roles(map, 1);
    const MapRaster wider = rasterOf(map, true, {});
    QCOMPARE(wider.image.pixel(3, 0), toQRgb(role_colour(Role::sliding)));
  }

  /// Without roles a map shows what is held, in no role's colour, and says so.
  void underH2oHeldAndDroppedAreDrawn() {
    FigureData figure = roles(2, 1, 40);
    figure.provenance.policy = "h2o:4,4";
    auto& map = std::get<RoleMap>(figure.values);
    map.roles.assign(map.roles.size(), Role::global);
    for (std::size_t i = 0; i < map.is_held.size(); ++i) map.is_held[i] = i % 5 == 0 ? 1 : 0;
    for (const Theme theme : {Theme::light, Theme::dark}) {
      const MapRaster raster = rasterOf(map, false, {.theme = theme});
      for (int x = 0; x < 40; ++x) QCOMPARE(raster.image.pixel(x, 0), toQRgb(held_colour(theme, x % 5 != 0)));
    }
    const auto svg = renderFigure(figure, FigureFormat::svg, {});
    QVERIFY(svg);
    QVERIFY(svg->contains("Tokens that H2O holds"));
    QVERIFY(svg->contains("dropped by the end"));
    QVERIFY(!svg->contains("global"));
    map.is_held.pop_back();
    QCOMPARE(renderFigure(figure, FigureFormat::svg, {}).error().code, ErrorCode::bad_arrays);
  }

  void noTitleIsCut() {
    FigureData figures[] = {attention(3, 3, false), roles(1, 1, 3), overview(1, 1, 9), curve(true), text(true)};
    for (FigureData& figure : figures) {
      figure.provenance.by_hand.window = 12345;
      figure.provenance.by_hand.roles_sha256 = std::string(64, 'c');
      figure.provenance.by_hand.forced.resize(65536);
      const FigureLayout layout = layOut(figure, {}, 0);
      const QString title = shownTitle(figure, {});
      QVERIFY(title.contains(QStringLiteral("65536 roles set by hand")));
      QVERIFY(layout.plot.left() + textWidth(titleFont(), title) < layout.size.width());
    }
  }

  void badInputIsAnError() {
    FigureData figure = attention(4, 4, false);
    std::get<Heatmap>(figure.values).values.pop_back();
    QCOMPARE(renderFigure(figure, FigureFormat::png, {}).error().code, ErrorCode::bad_arrays);
    QCOMPARE(renderFigure(attention(4, 4, false), FigureFormat::png, {.dpi = 1}).error().code, ErrorCode::usage);
    FigureData none = attention(1, 1, false);
    std::get<Heatmap>(none.values).queries = {3, 3};
    QCOMPARE(renderFigure(none, FigureFormat::png, {}).error().code, ErrorCode::bad_range);
    std::get<Heatmap>(none.values).queries = {0, 9000};
    QCOMPARE(renderFigure(none, FigureFormat::png, {}).error().code, ErrorCode::bad_range);
    FigureData maps = overview(2, 2, 9);
    std::get<HeadOverview>(maps.values).visible.pop_back();
    QCOMPARE(renderFigure(maps, FigureFormat::png, {}).error().code, ErrorCode::bad_arrays);
    QCOMPARE(figureFormat("map.jpeg").error().code, ErrorCode::usage);
    QCOMPARE(*figureFormat("A.PDF"), FigureFormat::pdf);
  }

  void filesAreWrittenWhole() {
    QTemporaryDir folder;
    const std::filesystem::path path = (folder.path() + QStringLiteral("/roles.svg")).toStdString();
    QVERIFY(drawFigure(roles(2, 2, 20), {}, path));
    QVERIFY(std::filesystem::file_size(path) > 500);
    QCOMPARE(drawFigure(roles(2, 2, 20), {}, folder.path().toStdString() + "/none/roles.svg").error().code,
             ErrorCode::file_not_found);
    QCOMPARE(QDir(folder.path()).entryList(QDir::Files | QDir::Hidden).size(), 1);
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

  void aRoleMapThatIsTooWideSaysWhatCanBeWritten() {
    QVERIFY(renderFigure(roles(1, 1, 32'768), FigureFormat::svg, {}).has_value());
    const auto bytes = renderFigure(roles(1, 1, 32'769), FigureFormat::svg, {});
    QVERIFY(!bytes);
    QCOMPARE(bytes.error().code, ErrorCode::bad_range);
    QCOMPARE(QString::fromStdString(bytes.error().hint), QStringLiteral("write npy or csv"));
  }

  void ticksAreRound() {
    for (const std::int64_t count : {1LL, 7LL, 10LL, 99LL, 4096LL, 1000000LL}) {
      const auto ticks = positionTicks(3, count, 8);
      QVERIFY(!ticks.empty() && ticks.size() <= 8);
      for (const std::int64_t tick : ticks) QVERIFY(tick >= 3 && tick < 3 + count);
    }
    QVERIFY(valueTicks(0, 5).size() == 2);
    for (const double top : {1e-9, 0.3, 7.0, 1234.5}) QVERIFY(valueTicks(top, 5).back() >= top * (1 - 1e-9));
  }

  void labelsShowWhatCannotBeSeen() {
    QCOMPARE(tokenLabel(QStringLiteral(" the")), QStringLiteral("\u00b7the"));
    QCOMPARE(tokenLabel(QStringLiteral("\n")), QStringLiteral("\u23ce"));
    QCOMPARE(tokenLabel(QString()), QStringLiteral("\u2205"));
    QCOMPARE(tokenLabel(QStringLiteral("internationalisation"), 6).size(), 6);
    // An emoji is two UTF-16 units: it is kept whole or left out.
    QVERIFY(!tokenLabel(QStringLiteral("abcd\U0001F600xyz"), 6).contains(QChar(0xD83D)));
  }
};

QTEST_MAIN(FigureTest)
#include "figure_test.moc"
