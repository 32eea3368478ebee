// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"

namespace natscope::ui {

/// The one that was chosen, or what is shown and what was set by hand.
[[nodiscard]] QString shownTitle(const FigureData& figure, const FigureOptions& options);

/// Draws a laid-out figure in points, on whatever the painter paints on. `raster` is null for a curve.
void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster);

}  // namespace natscope::ui
