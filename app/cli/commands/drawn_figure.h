// SPDX-License-Identifier: GPL-3.0-or-later
/// The seam to ui/figure: png, svg and pdf in a build with Qt, a clear sentence in one without.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/export/colour_map.h"
#include "core/export/figure_data.h"
#include "core/export/grid_chart.h"
#include "core/export/scale.h"
#include "core/export/series_chart.h"

namespace natscope {

struct DrawnFigureOptions {
  ScaleOptions scale;
  double dpi = 300;     ///< of png
  double width = 0;     ///< of the whole figure, points; 0: as wide as it gets
  int cell_pixels = 0;  ///< of every cell; 0: as many as fit
  bool dark = false;
  ColourMap colours = ColourMap::viridis;  ///< of attention and mask
  std::string axes = "auto";               ///< auto, tokens or positions
  bool cache_as_share = false;             ///< kv: in percent of full attention
  std::optional<std::string> title;        ///< in place of what is shown; empty: none
  double font_size = 8;                    ///< of axis names, points
  std::vector<std::string> names;          ///< of the runs of a comparison, the figure's own first
};

/// Errors: as ui::drawFigure; usage in a build without Qt.
[[nodiscard]] Expected<void> draw_figure_file(const FigureData& figure, const DrawnFigureOptions& options,
                                              const std::filesystem::path& path);

/// Errors: as ui::drawChart; usage in a build without Qt.
[[nodiscard]] Expected<void> draw_chart_file(const SeriesChart& chart, const DrawnFigureOptions& options,
                                             const std::filesystem::path& path);

[[nodiscard]] Expected<void> draw_grid_file(const GridChart& chart, const DrawnFigureOptions& options,
                                            const std::filesystem::path& path);

/// Whether this build has Qt.
[[nodiscard]] bool figures_are_drawn();

}  // namespace natscope
