// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <QSize>
#include <QSizeF>
#include <QString>
#include <QStringList>
#include <vector>

#include "ui/figure/figure.h"
#include "ui/figure/legend.h"

namespace natscope::ui {

/// Text beside an axis: where it stands, in cells (or a curve's units) from the axis' begin.
struct AxisLabel {
  double at = 0;
  QString text;
};

struct AxisLabels {
  std::vector<AxisLabel> labels;
  bool areTokens = false;
  double longest = 0;  ///< points
  int fontSize = 7;    ///< points
};

/// What stands round a plot, in points.
namespace page {
inline constexpr double margin = 10;
inline constexpr double barGap = 12;
inline constexpr double barWidth = 10;
inline constexpr double barLabels = 52;
inline constexpr double longestBar = 160;
inline constexpr double shortestBar = 112;  // beside low pictures: what stands along it needs as much
inline constexpr double smallestPlot = 40;  // of a figure whose width was chosen
inline constexpr double textWidth = 450;    // of plots that are as wide as a page's text
}  // namespace page

/// Where the parts of a figure stand, in points (1/72 inch) from its top left corner.
struct FigureLayout {
  QSizeF size;
  QRectF plot;                   ///< the map, or the axes of a curve
  QSizeF cell;                   ///< of a map, however many pixels it has; of an overview a pixel of its raster
  QSize raster;                  ///< of a map: pixels of its picture, one a cell or fewer
  std::int32_t mapPixels = 0;    ///< of an overview: raster pixels a side of each map …
  std::int32_t gapPixels = 0;    ///< … and between them
  QRectF bar;                    ///< colour bar; empty without one
  std::vector<QRectF> matrices;  ///< of a table of heads: each number's, from the plot's top left corner
  QStringList title;             ///< in lines
  Legend legend;
  double legendY = 0;
  AxisLabels across;
  AxisLabels down;
};

/// Whole pixels a cell where there are pixels: pixelsPerPoint > 0.
[[nodiscard]] double wholePixels(double points, double pixelsPerPoint);
/// What `side` points have room for in a picture: of a vector format as many as are printed.
[[nodiscard]] double rasterPixels(double side, double pixelsPerPoint);

/// From the figure's left edge to its plot, from the plot to the right edge.
[[nodiscard]] double leftOfPlot(const AxisLabels& down, double pixelsPerPoint);
[[nodiscard]] double rightOfPlot(bool hasBar);
/// How wide a plot is: `usual` points of the figure, or what the chosen width leaves.
[[nodiscard]] double plotWidth(const FigureOptions& options, double usual, double left, double right);

/// A layout of plot, labels and bar without title and legend, which finish() adds once their room is known.
[[nodiscard]] FigureLayout aroundPlot(QSizeF plot, AxisLabels across, AxisLabels down, bool hasBar,
                                      double pixelsPerPoint);
/// Title and legend: in lines of the chosen width, else as wide as they are.
void finish(FigureLayout& layout, const FigureData& figure, const FigureOptions& options, double pixelsPerPoint);

/// Points of a figure for one of its layout: a figure is laid out with texts of their usual sizes and drawn larger.
[[nodiscard]] double textScale(const FigureOptions& options);
/// The options in the layout's points.
[[nodiscard]] FigureOptions inLayoutPoints(FigureOptions options);

/// Lays a figure out, its options in its own points. `pixelsPerPoint` is png's scale: cells then get whole pixels and
/// the map starts on one; 0 for vector formats. Where a chosen width has no room for all parts, the figure is wider
/// than that.
[[nodiscard]] FigureLayout layOut(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint);

/// Whether a map's picture has fewer pixels than cells, so that some stand for several.
[[nodiscard]] bool isPutTogether(const FigureData& figure, const FigureLayout& layout);
/// How many tokens a column of a map of roles, or of what is held, stands for.
[[nodiscard]] double tokensAColumn(const FigureData& figure, const FigureLayout& layout);

}  // namespace natscope::ui
