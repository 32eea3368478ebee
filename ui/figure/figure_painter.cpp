// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_painter.h"

#include <QFontMetricsF>
#include <QPaintEngine>
#include <QTransform>
#include <algorithm>
#include <cmath>

#include "core/cache/forced_role.h"
#include "core/cache/policy.h"
#include "ui/figure/axis_ticks.h"

namespace natscope::ui {
namespace {

constexpr double hairline = 0.5;
constexpr double tickLength = 3;

QString lossTitle(const FigureData& figure) {
  if (figure.compared.empty()) return QStringLiteral("Loss of each token");
  return QStringLiteral("Loss of each token: %1 less %2")
      .arg(QString::fromStdString(run_name(figure.provenance)),
           QString::fromStdString(run_name(figure.compared.front().provenance)));
}

QString whatIsShown(const FigureData& figure) {
  switch (figure.kind) {
    case FigureKind::attention:
    case FigureKind::mask: {
      const auto& map = std::get<Heatmap>(figure.values);
      const QString what = figure.kind == FigureKind::mask ? QStringLiteral("Mask") : QStringLiteral("Attention");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(map.layer.value).arg(map.head.value);
    }
    case FigureKind::roles:
      if (const auto* map = std::get_if<HeldMap>(&figure.values))
        return QStringLiteral("Tokens that two caches hold after token %1, by layer and KV head")
            .arg(map->counts.tokens - 1);
      if (!has_roles(figure.provenance.policy))
        return QStringLiteral("Tokens that %1 holds, by layer and KV head")
            .arg(QString::fromStdString(method_name(figure.provenance.policy)));
      return QStringLiteral("Token roles by layer and KV head");
    case FigureKind::kv:
      return QStringLiteral("KV cache by tokens");
    case FigureKind::overview: {
      const auto& maps = std::get<HeadOverview>(figure.values);
      return maps.layers.size() == 1 ? QStringLiteral("Attention of all heads, layer %1").arg(maps.layers.front().value)
                                     : QStringLiteral("Attention of all heads");
    }
    case FigureKind::text: {
      if (std::holds_alternative<LossText>(figure.values)) return lossTitle(figure);
      const auto& text = std::get<ColouredText>(figure.values);
      if (!text.head) return QStringLiteral("Share of the heads that hold each token after the last one");
      const QString what = text.roles.empty() ? QStringLiteral("What is held") : QStringLiteral("Token roles");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(text.head->layer.value).arg(text.head->head.value);
    }
    case FigureKind::vocabulary:
      if (!figure.head) return QStringLiteral("What the cache is made of, in all heads");
      return QStringLiteral("What the cache is made of, layer %1, head %2")
          .arg(figure.head->layer.value)
          .arg(figure.head->head.value);
    case FigureKind::heads:
      return QStringLiteral("What each KV head keeps");
    case FigureKind::statistics:
      return QStringLiteral("What each query head attends to");
  }
  return {};
}

/// Where cells are large enough, each has a sign too: of its role, or of the cache that holds it alone.
template <class SignOf>
void drawSigns(QPainter& painter, const FigureLayout& layout, const QImage& cells, const SignOf& signOf) {
  if (std::min(layout.cell.width(), layout.cell.height()) < 7) return;
  std::size_t cell = 0;
  for (int row = 0; row < cells.height(); ++row) {
    for (int position = 0; position < cells.width(); ++position, ++cell) {
      const QPointF centre(layout.plot.left() + (position + 0.5) * layout.cell.width(),
                           layout.plot.top() + (row + 0.5) * layout.cell.height());
      const QString sign = signOf(cell);
      if (!sign.isEmpty()) drawText(painter, centre, sign, figureFont(5), inkOn(cells.pixel(position, row)), 0, 0);
    }
  }
}

void drawLayerLines(QPainter& painter, int layers, int kvHeads, const FigureInk& ink, const FigureLayout& layout) {
  painter.setPen(QPen(QColor(ink.paper), hairline));
  for (int layer = 1; layer < layers; ++layer) {
    const double y = layout.plot.top() + layer * kvHeads * layout.cell.height();
    painter.drawLine(QPointF(layout.plot.left(), y), QPointF(layout.plot.right(), y));
  }
}

/// Several pixels a cell: programs that smooth the pictures of an SVG whatever it says (librsvg, LibreOffice) then blur
/// edges of cells alone, not all of a small map.
QImage enlarged(const QImage& image) {
  constexpr qint64 mostPixels = 4 << 20;
  constexpr int mostTimes = 12;
  const qint64 cells = qint64{image.width()} * image.height();
  int times = 1;
  while (times < mostTimes && (times + 1) * (times + 1) * cells <= mostPixels) ++times;
  return image.scaled(image.size() * times, Qt::IgnoreAspectRatio, Qt::FastTransformation);
}

bool isOfPixels(const QPainter& painter) { return painter.device()->devType() == QInternal::Image; }

/// Whole device pixels: then every cell has the same number of them, or in a chosen width nearly.
QRect pixelsOf(const QPainter& painter, const QRectF& plot) {
  const double scale = painter.worldTransform().m11();
  return {qRound(plot.left() * scale), qRound(plot.top() * scale), qRound(plot.width() * scale),
          qRound(plot.height() * scale)};
}

}  // namespace

void drawRaster(QPainter& painter, const QRectF& plot, const QImage& image) {
  painter.save();
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.setRenderHint(QPainter::Antialiasing, false);
  if (isOfPixels(painter)) {
    const QRect pixels = pixelsOf(painter, plot);
    painter.resetTransform();
    painter.drawImage(pixels, image);
  } else {
    const bool isSvg = painter.paintEngine()->type() == QPaintEngine::SVG;
    painter.drawImage(plot, isSvg ? enlarged(image) : image);
  }
  painter.restore();
}

void drawFrame(QPainter& painter, const FigureInk& ink, const QRectF& plot) {
  QRectF inside = plot;
  if (isOfPixels(painter)) {
    const double scale = painter.worldTransform().m11();
    const QRect pixels = pixelsOf(painter, plot);
    inside = {pixels.left() / scale, pixels.top() / scale, pixels.width() / scale, pixels.height() / scale};
  }
  constexpr double half = hairline / 2;
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(QColor(ink.faint), hairline, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
  painter.drawRect(inside.adjusted(-half, -half, half, half));
}

void drawAxes(QPainter& painter, const FigureInk& ink, const FigureLayout& layout) {
  drawFrame(painter, ink, layout.plot);
  const QRectF& plot = layout.plot;
  for (const AxisLabel& label : layout.across.labels) {
    const double x = plot.left() + label.at * layout.cell.width();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + tickLength));
    const QPointF at(x, plot.bottom() + tickLength + 2);
    const QFont font = figureFont(layout.across.fontSize);
    if (layout.across.areTokens) {
      drawTurnedText(painter, at, label.text, font, ink.text, 1);
    } else {
      drawText(painter, at, label.text, font, ink.text, 0, -1);
    }
  }
  for (const AxisLabel& label : layout.down.labels) {
    const double y = plot.top() + label.at * layout.cell.height();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(plot.left() - tickLength, y), QPointF(plot.left(), y));
    drawText(painter, {plot.left() - tickLength - 2, y}, label.text, figureFont(layout.down.fontSize), ink.text, 1, 0);
  }
}

void drawAxisTitles(QPainter& painter, const FigureInk& ink, const FigureLayout& layout, const QString& across,
                    const QString& down) {
  const double labels = layout.across.areTokens ? layout.across.longest : 9;
  drawText(painter, {layout.plot.center().x(), layout.plot.bottom() + 6 + labels + 2}, across, figureFont(8), ink.text,
           0, -1);
  drawTurnedText(painter, {layout.plot.left() - 6 - layout.down.longest - 9, layout.plot.center().y()}, down,
                 figureFont(8), ink.text, 0);
}

QString shownTitle(const FigureData& figure, const FigureOptions& options) {
  if (!options.title.isEmpty()) return options.title;
  // What was set by hand stands where every reader sees it.
  const std::string set = in_words(figure.provenance.by_hand);
  const bool isNamed = std::holds_alternative<LossText>(figure.values) && !figure.compared.empty();  // as run_name does
  return set.empty() || isNamed ? whatIsShown(figure)
                                : QStringLiteral("%1 (%2)").arg(whatIsShown(figure), QString::fromStdString(set));
}

void drawColourRamp(QPainter& painter, ColourMap map, const ScaleRange& range, const ScaleOptions& scale,
                    const FigureInk& ink, const QRectF& bar) {
  QImage ramp(1, 256, QImage::Format_RGB32);
  for (int i = 0; i < 256; ++i) ramp.setPixel(0, i, toQRgb(colours(map)[static_cast<std::size_t>(255 - i)]));
  painter.drawImage(bar, ramp);
  painter.setPen(QPen(QColor(ink.faint), hairline));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(bar);
  constexpr double pitch = 9;
  for (const BarTick& tick : barTicks(range, scale, bar.height(), pitch)) {
    const double y = bar.bottom() - tick.level * bar.height();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(bar.right(), y), QPointF(bar.right() + tickLength, y));
    drawText(painter, {bar.right() + tickLength + 2, y}, tick.text, figureFont(7), ink.text, -1, 0);
  }
}

void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar) {
  drawColourRamp(painter, options.colours, range, options.scale, ink, bar);
  QString words = options.scale.normalise == Normalise::row ? QStringLiteral("share of the row's largest")
                                                            : QStringLiteral("attention weight");
  if (range.kind == ScaleKind::log) words += QStringLiteral(", log scale");
  painter.save();
  painter.translate(bar.right() + 40, bar.center().y());
  painter.rotate(-90);
  drawText(painter, {0, 0}, words, figureFont(7), ink.text, 0, 0);
  painter.restore();
}

void drawText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAcross,
              int alignDown) {
  const QFontMetricsF metrics(font);
  const double x = at.x() - (alignAcross + 1) * 0.5 * metrics.horizontalAdvance(text);
  // Letters are centred on the height of capitals, not on the line.
  const double y = alignDown < 0   ? at.y() + metrics.ascent()
                   : alignDown > 0 ? at.y() - metrics.descent()
                                   : at.y() + metrics.capHeight() / 2;
  painter.setFont(font);
  painter.setPen(QColor(colour));
  painter.drawText(QPointF(x, y), text);
}

void drawTurnedText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour,
                    int alignAlong) {
  painter.save();
  painter.translate(at);
  painter.rotate(-90);
  drawText(painter, {0, 0}, text, font, colour, alignAlong, 0);
  painter.restore();
}

namespace {

void paintTokenRows(QPainter& painter, int layers, int kvHeads, const FigureInk& ink, const FigureLayout& layout) {
  drawLayerLines(painter, layers, kvHeads, ink, layout);
  const QString rows = QStringLiteral("layer (rows: its KV heads)");
  const bool hasRoom = textWidth(figureFont(8), rows) < layout.plot.height() + 30;
  drawAxisTitles(painter, ink, layout, QStringLiteral("token"), hasRoom ? rows : QStringLiteral("layer"));
  drawAxes(painter, ink, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const Heatmap&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  const FigureInk ink = inkOf(options.theme);
  if (figure.kind == FigureKind::attention) drawColourBar(painter, options, raster.range, ink, layout.bar);
  drawAxisTitles(painter, ink, layout, QStringLiteral("key"), QStringLiteral("query"));
  drawAxes(painter, ink, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const RoleMap& map, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  paintTokenRows(painter, map.layers, map.kv_heads, inkOf(options.theme), layout);
  if (!has_roles(figure.provenance.policy)) return;
  drawSigns(painter, layout, raster.image,
            [&](std::size_t cell) { return QString(QLatin1Char(role_letter(map.roles[cell]))); });
}

void paintParts(QPainter& painter, const FigureData&, const HeldMap& map, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  paintTokenRows(painter, map.layers, map.kv_heads, inkOf(options.theme), layout);
  drawSigns(painter, layout, raster.image, [&](std::size_t cell) { return heldSign(map.held_by[cell]); });
}

void paintParts(QPainter& painter, const FigureData&, const HeadOverview& maps, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster& raster) {
  FigureOptions bar = options;
  bar.scale.normalise = Normalise::none;  // there is none of many maps
  drawColourBar(painter, bar, raster.range, inkOf(options.theme), layout.bar);
  paintOverview(painter, maps, inkOf(options.theme), layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const KvCurve&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  paintCurve(painter, figure, options, layout);
}

void paintParts(QPainter& painter, const FigureData& figure, const FigureTable& table, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  const bool isVocabulary = figure.kind == FigureKind::vocabulary;
  (isVocabulary ? paintVocabulary : paintHeadMatrices)(painter, table, options, layout);
}

/// A text, by roles or by losses.
template <class Text>
void paintParts(QPainter& painter, const FigureData& figure, const Text&, const FigureOptions& options,
                const FigureLayout& layout, const MapRaster&) {
  paintText(painter, figure, options, layout);
}

}  // namespace

void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster) {
  const FigureInk ink = inkOf(options.theme);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing | QPainter::LosslessImageRendering);
  painter.fillRect(QRectF(QPointF(0, 0), layout.size), QColor(ink.paper));
  QPointF title(layout.plot.left(), page::margin);
  for (const QString& line : layout.title) {
    drawText(painter, title, line, titleFont(), ink.text, -1, -1);
    title.ry() += 13;
  }
  if (!raster.image.isNull()) drawRaster(painter, layout.plot, raster.image);
  std::visit([&](const auto& values) { paintParts(painter, figure, values, options, layout, raster); }, figure.values);
  paintLegend(painter, layout.legend, {layout.plot.left(), layout.legendY}, legendPitch(figure), ink.text);
}

}  // namespace natscope::ui
