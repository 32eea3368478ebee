// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_layout.h"

#include <QFontMetricsF>
#include <algorithm>
#include <cmath>

#include "ui/figure/curve_painter.h"
#include "ui/figure/figure_legends.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/head_matrices.h"
#include "ui/figure/map_layout.h"
#include "ui/figure/overview_figure.h"
#include "ui/figure/text_painter.h"
#include "ui/figure/vocabulary_figure.h"

namespace natscope::ui {
namespace {

// Points.
constexpr double curveHeight = 220;
constexpr double lowestCurve = 110;
constexpr double curveAspect = 0.62;  // of a curve whose width was chosen
constexpr double titleHeight = 18;
constexpr double titlePitch = 13;
constexpr double leastWords = 300;  // of the figure, before words are broken into lines
constexpr double axisTitle = 14;
constexpr double tickSpace = 6;
constexpr double legendGap = 8;
constexpr double printedPixels = 600.0 / 72;  // a point, where the format has none of its own

double toWholePixel(double points, double pixelsPerPoint) {
  return pixelsPerPoint <= 0 ? points : std::ceil(points * pixelsPerPoint) / pixelsPerPoint;
}

void moveDown(FigureLayout& layout, double by) {
  layout.plot.translate(0, by);
  if (!layout.bar.isEmpty()) layout.bar.translate(0, by);
  layout.legendY += by;
}

FigureLayout layOutCurve(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  AxisLabels values;  // their texts: curve_painter.cpp
  values.longest = curveLabelsWidth(figure, options);
  const double width = plotWidth(options, page::textWidth, leftOfPlot(values, pixelsPerPoint), rightOfPlot(false));
  const double highest = std::max(lowestCurve, curveHeight / textScale(options));
  const double height = options.width > 0 ? std::clamp(curveAspect * width, lowestCurve, highest) : highest;
  return aroundPlot(QSizeF(width, height), {}, std::move(values), false, pixelsPerPoint);
}

FigureLayout layOutParts(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values)) return layOutMap(*map, figure, options, pixelsPerPoint);
  if (const auto* map = std::get_if<RoleMap>(&figure.values))
    return layOutTokenRows(map->layers, map->kv_heads, map->length, figure, options, pixelsPerPoint);
  if (const auto* map = std::get_if<HeldMap>(&figure.values))
    return layOutTokenRows(map->layers, map->kv_heads, map->counts.tokens, figure, options, pixelsPerPoint);
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values))
    return layOutOverview(*maps, options, pixelsPerPoint);
  if (const auto* table = std::get_if<FigureTable>(&figure.values))
    return figure.kind == FigureKind::vocabulary ? layOutVocabulary(*table, options, pixelsPerPoint)
                                                 : layOutHeadMatrices(*table, options, pixelsPerPoint);
  if (figure.kind == FigureKind::text) return layOutText(figure, options);
  return layOutCurve(figure, options, pixelsPerPoint);
}

}  // namespace

double wholePixels(double points, double pixelsPerPoint) {
  if (pixelsPerPoint <= 0) return points;
  return std::max(1.0, std::floor(points * pixelsPerPoint)) / pixelsPerPoint;
}

double rasterPixels(double side, double pixelsPerPoint) {
  return std::max(1.0, std::floor(side * (pixelsPerPoint > 0 ? pixelsPerPoint : printedPixels)));
}

double leftOfPlot(const AxisLabels& down, double pixelsPerPoint) {
  return toWholePixel(page::margin + axisTitle + down.longest + tickSpace, pixelsPerPoint);
}

double rightOfPlot(bool hasBar) { return hasBar ? page::barGap + page::barWidth + page::barLabels : page::margin; }

double plotWidth(const FigureOptions& options, double usual, double left, double right) {
  return options.width > 0 ? std::max(page::smallestPlot, options.width - left - right) : usual / textScale(options);
}

FigureLayout aroundPlot(QSizeF plot, AxisLabels across, AxisLabels down, bool hasBar, double pixelsPerPoint) {
  FigureLayout layout;
  const double left = leftOfPlot(down, pixelsPerPoint);
  const double top = toWholePixel(page::margin + titleHeight, pixelsPerPoint);
  layout.plot = QRectF(QPointF(left, top), plot);
  const double below = tickSpace + (across.areTokens ? across.longest : 9) + axisTitle;
  layout.legendY = layout.plot.bottom() + below + legendGap;
  if (hasBar) {
    layout.bar = QRectF(layout.plot.right() + page::barGap, top, page::barWidth,
                        std::clamp(plot.height(), page::shortestBar, page::longestBar));
    layout.legendY = std::max(layout.legendY, layout.bar.bottom() + legendGap);
  }
  layout.across = std::move(across);
  layout.down = std::move(down);
  return layout;
}

void finish(FigureLayout& layout, const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  constexpr double unbounded = 1e6;
  const double left = layout.plot.left();
  const double room = options.width > 0 ? options.width - left - page::margin : unbounded;
  const QString title = shownTitle(figure, options);
  // Neither one's own title nor larger texts make a figure wide.
  const bool isLarger = options.fontSize > usualFontSize;
  const double fewWords = std::max(leastWords / textScale(options), layout.plot.width());
  const double titleRoom = options.width <= 0 && (options.title || isLarger) ? fewWords : room;
  const double legendRoom = options.width <= 0 && isLarger ? fewWords : room;
  if (!title.isEmpty()) layout.title = brokenLines(title, titleFont(), titleRoom);
  const double down = title.isEmpty() ? -titleHeight : titlePitch * static_cast<double>(layout.title.size() - 1);
  moveDown(layout, toWholePixel(down, pixelsPerPoint));
  const double pitch = legendPitch(figure);
  layout.legend = placeLegend(legendOf(figure, options, layout), legendRoom, pitch);
  double width = layout.plot.right() + rightOfPlot(!layout.bar.isEmpty());
  for (const QString& line : layout.title) width = std::max(width, left + textWidth(titleFont(), line) + page::margin);
  width = std::ceil(std::max(width, left + layout.legend.width + page::margin) - 1e-6);
  // What was chosen, unless the parts need more.
  if (options.width > 0 && width <= std::ceil(options.width)) width = options.width;
  layout.size = QSizeF(width, std::ceil(layout.legendY + layout.legend.height + page::margin));
}

double textScale(const FigureOptions& options) { return options.fontSize / usualFontSize; }

FigureOptions inLayoutPoints(FigureOptions options) {
  options.width /= textScale(options);
  options.dpi *= textScale(options);
  return options;
}

FigureLayout layOut(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  FigureLayout layout = layOutParts(figure, options, pixelsPerPoint);
  finish(layout, figure, options, pixelsPerPoint);
  return layout;
}

double tokensAColumn(const FigureData& figure, const FigureLayout& layout) {
  const auto* held = std::get_if<HeldMap>(&figure.values);
  const auto* roles = std::get_if<RoleMap>(&figure.values);
  const std::int64_t tokens = held != nullptr ? held->counts.tokens : roles != nullptr ? roles->length : 0;
  return static_cast<double>(tokens) / std::max(1, layout.raster.width());
}

bool isPutTogether(const FigureData& figure, const FigureLayout& layout) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values))
    return layout.raster.width() < map->keys.size() || layout.raster.height() < map->queries.size();
  return tokensAColumn(figure, layout) > 1;
}

}  // namespace natscope::ui
