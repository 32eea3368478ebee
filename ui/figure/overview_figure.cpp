// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/overview_figure.h"

#include <algorithm>
#include <cmath>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/legend.h"
#include "ui/figure/map_raster.h"
#include "ui/figure/plot_painter.h"

namespace natscope::ui {
namespace {

constexpr double hairline = 0.5;
// Points. Maps are as large as a page's width allows, within these sides.
constexpr double overviewWidth = 500;
constexpr double largestMap = 96;
constexpr double smallestMap = 13;
constexpr double thinGaps = 14;               // a map's room in a chosen width, below which gaps are a point
constexpr double smallestChosenMap = 4;       // where the figure's width was chosen
constexpr double printedPixels = 300.0 / 72;  // a point, where the format has none of its own
constexpr double headLabels = 26;
constexpr double kvLabelHeight = 13;

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
      drawFrame(painter, ink, map);
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

FigureLayout layOutOverview(const HeadOverview& maps, const FigureOptions& options, double pixelsPerPoint) {
  FigureLayout layout;
  AxisLabels& down = layout.down;
  const auto rows = static_cast<double>(maps.layers.size());
  for (const LayerId layer : maps.layers)
    down.longest = std::max(down.longest, textWidth(figureFont(down.fontSize), QString::number(layer.value)));
  const double left = leftOfPlot(down, pixelsPerPoint);
  const bool isChosen = options.width > 0;
  const double width = plotWidth(options, overviewWidth, left, rightOfPlot(true));
  const double gap = isChosen && width < thinGaps * maps.heads ? 1 : maps.heads > 16 ? 2 : 4;
  const double room = width / maps.heads - gap;
  // A width that was chosen ends behind the last map, not behind a gap.
  const double wanted =
      isChosen ? std::max(smallestChosenMap, room + gap / maps.heads) : std::clamp(room, smallestMap, largestMap);
  const double pixels = wanted * (pixelsPerPoint > 0 ? pixelsPerPoint : printedPixels);
  // A map that nearly has a pixel for every cell gets them, where it may grow: then nothing is put together.
  const double nearly = isChosen ? 1 : 0.75;
  layout.mapPixels = pixels >= nearly * maps.side ? maps.side : static_cast<std::int32_t>(pixels);
  double cell = wholePixels(std::max(wanted, 1.0) / layout.mapPixels, pixelsPerPoint);
  layout.gapPixels = std::max(1, static_cast<int>(std::lround(gap / cell)));
  const int across = maps.heads * (layout.mapPixels + layout.gapPixels) - layout.gapPixels;
  if (isChosen && cell * across > width) cell = wholePixels(width / across, pixelsPerPoint);
  layout.cell = QSizeF(cell, cell);
  const double pitch = pitchOf(layout);
  const QSizeF plot(pitch * maps.heads - cell * layout.gapPixels, pitch * rows - cell * layout.gapPixels);
  const auto labels = [&](AxisLabels& axis, std::int64_t count, double labelRoom, const auto& text) {
    for (const std::int64_t tick :
         positionTicks(0, count, std::max(1, static_cast<int>(pitch * static_cast<double>(count) / labelRoom)))) {
      axis.labels.push_back(
          {static_cast<double>(tick) * (layout.mapPixels + layout.gapPixels) + layout.mapPixels / 2.0, text(tick)});
    }
  };
  labels(layout.across, maps.heads, 12, [](std::int64_t head) { return QString::number(head); });
  labels(down, static_cast<std::int64_t>(maps.layers.size()), 9,
         [&](std::int64_t row) { return QString::number(maps.layers[static_cast<std::size_t>(row)].value); });
  const double kvLabels = maps.kv_heads != maps.heads ? kvLabelHeight : 0;
  FigureLayout around = aroundPlot(plot, {}, down, true, pixelsPerPoint);
  const double above = std::ceil(headLabels + kvLabels);
  layout.plot =
      around.plot.translated(0, pixelsPerPoint > 0 ? std::ceil(above * pixelsPerPoint) / pixelsPerPoint : above);
  layout.bar = QRectF(layout.plot.right() + page::barGap, layout.plot.top(), page::barWidth,
                      std::clamp(plot.height(), page::shortestBar, page::longestBar));
  layout.raster =
      QSize(static_cast<int>(std::lround(plot.width() / cell)), static_cast<int>(std::lround(plot.height() / cell)));
  layout.legendY = std::max(layout.plot.bottom(), layout.bar.bottom() + 4) + 10;
  return layout;
}

std::vector<LegendEntry> overviewLegend(const HeadOverview& maps, const FigureOptions& options,
                                        const FigureLayout& layout) {
  QString masked = QStringLiteral("masked: not in the cache, or in the future");
  const std::int64_t cell = std::int64_t{1} << static_cast<unsigned>(maps.zoom);
  if (options.scale.hide_sink) {
    masked += cell == 1 ? QStringLiteral("; token 0 hidden")
                        : QStringLiteral("; tokens 0 to %1 hidden").arg(std::min(cell, maps.tokens) - 1);
  }
  QString what = QStringLiteral("%1 tokens: queries down, keys across").arg(maps.tokens);
  if (layout.mapPixels < maps.side) {
    what += QStringLiteral("; a pixel is the largest weight that it covers");
  } else if (cell > 1)
    what += QStringLiteral("; a cell is the largest of %1 × %1 weights").arg(cell);
  std::vector<LegendEntry> entries{swatchEntry(toQRgb(masked_colour(options.theme)), {}, masked, inkOf(options.theme)),
                                   {0, {}, what, true}};
  if (std::find(maps.has_map.begin(), maps.has_map.end(), 0) != maps.has_map.end())
    entries.push_back({0, {}, QStringLiteral("crossed out: not recorded"), true});
  return entries;
}

void paintOverview(QPainter& painter, const HeadOverview& maps, const FigureInk& ink, const FigureLayout& layout) {
  drawFrames(painter, maps, ink, layout);
  drawLabels(painter, maps, ink, layout);
}

}  // namespace natscope::ui
