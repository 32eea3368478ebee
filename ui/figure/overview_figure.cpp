// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "ui/figure/figure_painter.h"

namespace natscope::ui {
namespace {

constexpr double hairline = 0.5;

double pitchOf(const FigureLayout& layout) { return (layout.mapPixels + layout.gapPixels) * layout.cell.width(); }

QRectF mapRect(const FigureLayout& layout, std::size_t row, std::int32_t head) {
  const double side = layout.mapPixels * layout.cell.width();
  return {layout.plot.left() + head * pitchOf(layout), layout.plot.top() + static_cast<double>(row) * pitchOf(layout),
          side, side};
}

/// A frame round each map; a cross where there is none, so that it never looks like zeros.
void drawFrames(QPainter& painter, const HeadOverview& maps, const FigureInk& ink, const FigureLayout& layout) {
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(QColor(ink.faint), hairline));
  for (std::size_t row = 0; row < maps.layers.size(); ++row) {
    for (std::int32_t head = 0; head < maps.heads; ++head) {
      const QRectF map = mapRect(layout, row, head);
      painter.drawRect(map);
      if (maps.has_map[maps.index(row, HeadId(head))] != 0) continue;
      painter.drawLine(map.topLeft(), map.bottomRight());
      painter.drawLine(map.topRight(), map.bottomLeft());
    }
  }
}

void drawLabels(QPainter& painter, const HeadOverview& maps, const FigureInk& ink, const FigureLayout& layout) {
  const QRectF& plot = layout.plot;
  const double cell = layout.cell.width();
  for (const AxisLabel& label : layout.across.labels)
    drawText(painter, {plot.left() + label.at * cell, plot.top() - 4}, label.text, figureFont(layout.across.fontSize),
             ink.text, 0, 1);
  for (const AxisLabel& label : layout.down.labels)
    drawText(painter, {plot.left() - 5, plot.top() + label.at * cell}, label.text, figureFont(layout.down.fontSize),
             ink.text, 1, 0);
  double above = plot.top() - 16;
  if (maps.kv_heads != maps.heads && maps.heads % maps.kv_heads == 0) {
    // Heads that share keys and values, and so their masks.
    const std::int32_t group = maps.heads / maps.kv_heads;
    const double width = group * pitchOf(layout);
    for (std::int32_t kvHead = 0; kvHead < maps.kv_heads; ++kvHead) {
      const QRectF first = mapRect(layout, 0, kvHead * group);
      const QRectF last = mapRect(layout, 0, (kvHead + 1) * group - 1);
      painter.setPen(QPen(QColor(ink.faint), hairline));
      painter.drawLine(QPointF(first.left(), plot.top() - 14), QPointF(last.right(), plot.top() - 14));
      const QString words = QStringLiteral("KV %1").arg(kvHead);
      const QString shown = textWidth(figureFont(7), words) < width - 2 ? words : QString::number(kvHead);
      if (textWidth(figureFont(7), shown) < width - 1)
        drawText(painter, {(first.left() + last.right()) / 2, plot.top() - 16}, shown, figureFont(7), ink.text, 0, 1);
    }
    above -= 11;
  }
  drawText(painter, {plot.center().x(), above}, QStringLiteral("query head"), figureFont(8), ink.text, 0, 1);
  drawTurnedText(painter, {plot.left() - 5 - layout.down.longest - 9, plot.center().y()}, QStringLiteral("layer"),
                 figureFont(8), ink.text, 0);
}

}  // namespace

void paintOverview(QPainter& painter, const HeadOverview& maps, const FigureOptions& options, const FigureInk& ink,
                   const FigureLayout& layout) {
  drawFrames(painter, maps, ink, layout);
  drawLabels(painter, maps, ink, layout);
  QPointF at(layout.plot.left(), layout.legendY);
  QString masked = QStringLiteral("masked: not in the cache, or in the future");
  const std::int64_t cell = std::int64_t{1} << static_cast<unsigned>(maps.zoom);
  if (options.scale.hide_sink) {
    masked += cell == 1 ? QStringLiteral("; token 0 hidden")
                        : QStringLiteral("; tokens 0 to %1 hidden").arg(std::min(cell, maps.tokens) - 1);
  }
  drawSwatch(painter, at, toQRgb(masked_colour(options.theme)), {}, masked, ink);
  QString what = QStringLiteral("%1 tokens: queries down, keys across").arg(maps.tokens);
  if (layout.mapPixels < maps.side) {
    what += QStringLiteral("; a pixel is the largest weight that it covers");
  } else if (cell > 1)
    what += QStringLiteral("; a cell is the largest of %1 × %1 weights").arg(cell);
  drawText(painter, at + QPointF(0, layout.legendPitch + 2), what, figureFont(8), ink.text, -1, -1);
  if (std::find(maps.has_map.begin(), maps.has_map.end(), 0) != maps.has_map.end())
    drawText(painter, at + QPointF(0, 2 * layout.legendPitch + 2), QStringLiteral("crossed out: not recorded"),
             figureFont(8), ink.text, -1, -1);
}

}  // namespace natscope::ui
