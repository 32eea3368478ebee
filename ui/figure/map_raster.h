// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <cstdint>
#include <vector>

#include "ui/figure/figure.h"
#include "ui/figure/figure_ink.h"

namespace natscope::ui {

/// A map with one pixel a cell, and for attention the range of its colours.
struct MapRaster {
  QImage image;  ///< RGB32
  ScaleRange range;
};

/// On so many pixels, one a cell or fewer: each is then the largest weight that it covers. The sizes in `map` were
/// checked. Null image when memory is not there.
[[nodiscard]] MapRaster rasterOf(const Heatmap& map, QSize pixels, const FigureOptions& options);

/// All maps in one picture: rows of layers, columns of heads, each map with `pixels` a side and `gap` pixels of paper
/// between them. What is not recorded is paper.
[[nodiscard]] MapRaster rasterOf(const HeadOverview& maps, std::int32_t pixels, std::int32_t gap,
                                 const FigureOptions& options);

/// On so many columns, one a token or fewer: each is then the mean of the colours that it covers. Tokens that are no
/// longer held after the last one are faded; without roles what is held is grey.
[[nodiscard]] MapRaster rasterOf(const RoleMap& map, int columns, bool hasRoles, const FigureOptions& options);
[[nodiscard]] MapRaster rasterOf(const HeldMap& map, int columns, const FigureOptions& options);

}  // namespace natscope::ui
