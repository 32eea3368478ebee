// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_painter.h"

#include <QFontMetricsF>
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
constexpr double swatch = 8;

QString whatIsShown(const FigureData& figure) {
  switch (figure.kind) {
    case FigureKind::attention:
    case FigureKind::mask: {
      const auto& map = std::get<Heatmap>(figure.values);
      const QString what = figure.kind == FigureKind::mask ? QStringLiteral("Mask") : QStringLiteral("Attention");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(map.layer.value).arg(map.head.value);
    }
    case FigureKind::roles:
      if (!has_roles(figure.provenance.policy)) return QStringLiteral("Tokens that H2O holds, by layer and KV head");
      return QStringLiteral("Token roles by layer and KV head");
    case FigureKind::kv:
      return QStringLiteral("KV cache by tokens");
    case FigureKind::overview: {
      const auto& maps = std::get<HeadOverview>(figure.values);
      return maps.layers.size() == 1 ? QStringLiteral("Attention of all heads, layer %1").arg(maps.layers.front().value)
                                     : QStringLiteral("Attention of all heads");
    }
    case FigureKind::text: {
      const auto& text = std::get<ColouredText>(figure.values);
      if (!text.head) return QStringLiteral("Share of the heads that hold each token after the last one");
      const QString what = text.roles.empty() ? QStringLiteral("What is held") : QStringLiteral("Token roles");
      return QStringLiteral("%1, layer %2, head %3").arg(what).arg(text.head->layer.value).arg(text.head->head.value);
    }
    case FigureKind::heads:
      break;  // numbers only
  }
  return {};
}

void drawAxes(QPainter& painter, const FigureInk& ink, const FigureLayout& layout) {
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(QColor(ink.faint), hairline));
  painter.drawRect(layout.plot);
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

void drawMapLegend(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureInk& ink,
                   const FigureLayout& layout) {
  QPointF at(layout.plot.left(), layout.legendY);
  if (figure.kind == FigureKind::mask) {
    at.setX(drawSwatch(painter, at, toQRgb(colour_at(options.colours, 0.5F)), {}, QStringLiteral("seen"), ink));
  }
  QString masked = QStringLiteral("masked: not in the cache, or in the future");
  if (options.scale.hide_sink) masked += QStringLiteral("; token 0 hidden");
  drawSwatch(painter, at, toQRgb(masked_colour(options.theme)), {}, masked, ink);
}

void drawHeldLegend(QPainter& painter, const FigureOptions& options, const FigureInk& ink, const FigureLayout& layout) {
  QPointF at(layout.plot.left(), layout.legendY);
  at.setX(drawSwatch(painter, at, toQRgb(held_colour(options.theme, false)), {}, QStringLiteral("held"), ink));
  drawSwatch(painter, at, toQRgb(held_colour(options.theme, true)), {},
             QStringLiteral("dropped by the end (H2O has no roles)"), ink);
}

void drawRoleLegend(QPainter& painter, const FigureOptions& options, const FigureInk& ink, const FigureLayout& layout) {
  QPointF at(layout.plot.left(), layout.legendY);
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    at.setX(drawSwatch(painter, at, toQRgb(role_colour(role)), QString(QLatin1Char(role_letter(role))),
                       QLatin1String(role_name(role)), ink));
  }
  drawSwatch(painter, at, fadedRoleColour(Role::sliding, options.theme), {},
             QStringLiteral("faded: dropped by the end"), ink);
}

void drawRaster(QPainter& painter, const FigureLayout& layout, const QImage& image) {
  painter.save();
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.setRenderHint(QPainter::Antialiasing, false);
  const double scale = painter.worldTransform().m11();
  if (painter.device()->devType() == QInternal::Image) {
    // Whole device pixels: then every cell has the same number of them.
    painter.resetTransform();
    const QPoint topLeft(qRound(layout.plot.left() * scale), qRound(layout.plot.top() * scale));
    const QSize size(qRound(layout.cell.width() * scale) * image.width(),
                     qRound(layout.cell.height() * scale) * image.height());
    painter.drawImage(QRect(topLeft, size), image);
  } else {
    painter.drawImage(layout.plot, image);
  }
  painter.restore();
}

/// Where cells are large enough, each says its role in a letter too.
void drawRoleLetters(QPainter& painter, const RoleMap& map, const FigureLayout& layout) {
  if (std::min(layout.cell.width(), layout.cell.height()) < 7) return;
  std::size_t cell = 0;
  for (int row = 0; row < map.layers * map.kv_heads; ++row) {
    for (std::int64_t position = 0; position < map.length; ++position, ++cell) {
      const QPointF centre(layout.plot.left() + (static_cast<double>(position) + 0.5) * layout.cell.width(),
                           layout.plot.top() + (row + 0.5) * layout.cell.height());
      drawText(painter, centre, QString(QLatin1Char(role_letter(map.roles[cell]))), figureFont(5), qRgb(0, 0, 0), 0, 0);
    }
  }
}

void drawLayerLines(QPainter& painter, const RoleMap& map, const FigureInk& ink, const FigureLayout& layout) {
  painter.setPen(QPen(QColor(ink.paper), hairline));
  for (int layer = 1; layer < map.layers; ++layer) {
    const double y = layout.plot.top() + layer * map.kv_heads * layout.cell.height();
    painter.drawLine(QPointF(layout.plot.left(), y), QPointF(layout.plot.right(), y));
  }
}

}  // namespace

QString shownTitle(const FigureData& figure, const FigureOptions& options) {
  if (!options.title.isEmpty()) return options.title;
  // What was set by hand stands where every reader sees it.
  const std::string set = in_words(figure.provenance.by_hand);
  return set.empty() ? whatIsShown(figure)
                     : QStringLiteral("%1 (%2)").arg(whatIsShown(figure), QString::fromStdString(set));
}

double drawSwatch(QPainter& painter, QPointF at, QRgb colour, const QString& letter, const QString& words,
                  const FigureInk& ink) {
  const QRectF square(at, QSizeF(swatch, swatch));
  painter.setPen(QPen(QColor(ink.faint), hairline));
  painter.setBrush(QColor(colour));
  painter.drawRect(square);
  const QRgb onSquare = qGray(colour) > 140 ? qRgb(0, 0, 0) : qRgb(255, 255, 255);
  if (!letter.isEmpty()) drawText(painter, square.center(), letter, figureFont(6, true), onSquare, 0, 0);
  drawText(painter, {square.right() + 4, square.center().y()}, words, figureFont(8), ink.text, -1, 0);
  return square.right() + 4 + textWidth(figureFont(8), words) + 14;
}

void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar) {
  QImage ramp(1, 256, QImage::Format_RGB32);
  for (int i = 0; i < 256; ++i)
    ramp.setPixel(0, i, toQRgb(colours(options.colours)[static_cast<std::size_t>(255 - i)]));
  painter.drawImage(bar, ramp);
  painter.setPen(QPen(QColor(ink.faint), hairline));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(bar);
  constexpr double pitch = 9;
  for (const BarTick& tick : barTicks(range, options.scale, bar.height(), pitch)) {
    const double y = bar.bottom() - tick.level * bar.height();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(bar.right(), y), QPointF(bar.right() + tickLength, y));
    drawText(painter, {bar.right() + tickLength + 2, y}, tick.text, figureFont(7), ink.text, -1, 0);
  }
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

void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster) {
  const FigureInk ink = inkOf(options.theme);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing | QPainter::LosslessImageRendering);
  painter.fillRect(QRectF(QPointF(0, 0), layout.size), QColor(ink.paper));
  drawText(painter, {layout.plot.left(), 10}, shownTitle(figure, options), titleFont(), ink.text, -1, -1);
  if (std::holds_alternative<KvCurve>(figure.values)) {
    paintCurve(painter, figure, ink, layout);
    return;
  }
  if (const auto* text = std::get_if<ColouredText>(&figure.values))
    return paintText(painter, figure, *text, options.theme, layout);
  drawRaster(painter, layout, raster.image);
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) {
    FigureOptions bar = options;
    bar.scale.normalise = Normalise::none;  // there is none of many maps
    drawColourBar(painter, bar, raster.range, ink, layout.bar);
    return paintOverview(painter, *maps, options, ink, layout);
  }
  if (const auto* roles = std::get_if<RoleMap>(&figure.values)) {
    drawLayerLines(painter, *roles, ink, layout);
    if (has_roles(figure.provenance.policy)) {
      drawRoleLetters(painter, *roles, layout);
      drawRoleLegend(painter, options, ink, layout);
    } else {
      drawHeldLegend(painter, options, ink, layout);
    }
    drawAxisTitles(painter, ink, layout, QStringLiteral("token"), QStringLiteral("layer (rows: its KV heads)"));
  } else {
    if (figure.kind == FigureKind::attention) drawColourBar(painter, options, raster.range, ink, layout.bar);
    drawMapLegend(painter, figure, options, ink, layout);
    drawAxisTitles(painter, ink, layout, QStringLiteral("key"), QStringLiteral("query"));
  }
  drawAxes(painter, ink, layout);
}

}  // namespace natscope::ui
