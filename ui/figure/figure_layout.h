// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFont>
#include <QRectF>
#include <QSizeF>
#include <QString>
#include <vector>

#include "ui/figure/figure.h"

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

/// Where the parts of a figure stand, in points (1/72 inch) from its top left corner.
struct FigureLayout {
  QSizeF size;
  QRectF plot;                 ///< the map, or the axes of a curve
  QSizeF cell;                 ///< of a map; of an overview a pixel of its raster
  std::int32_t mapPixels = 0;  ///< of an overview: raster pixels a side of each map …
  std::int32_t gapPixels = 0;  ///< … and between them
  QRectF bar;                  ///< colour bar; empty without one
  double legendY = 0;
  double legendPitch = 12;  ///< of a legend with a line for each entry
  AxisLabels across;
  AxisLabels down;
};

/// A sans-serif font of whole points, without hinting: its metrics scale exactly.
[[nodiscard]] QFont figureFont(int points, bool bold = false);
[[nodiscard]] QFont titleFont();
[[nodiscard]] double textWidth(const QFont& font, const QString& text);

[[nodiscard]] FigureLayout layOutText(const FigureData& figure, const ColouredText& text);

/// Lays a figure out. `pixelsPerPoint` is png's scale: cells then get whole pixels and the map starts on one; 0 for
/// vector formats.
[[nodiscard]] FigureLayout layOut(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint);

}  // namespace natscope::ui
