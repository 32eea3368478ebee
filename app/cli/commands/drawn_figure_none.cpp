// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/drawn_figure.h"

namespace natscope {
namespace {

Unexpected no_figures(const std::filesystem::path& path) {
  return fail(ErrorCode::usage,
              "this build draws no figures (" + path.extension().string() + "): it was made without Qt",
              "write npy, csv or json, or use a build with Qt");
}

}  // namespace

Expected<void> draw_figure_file(const FigureData&, const DrawnFigureOptions&, const std::filesystem::path& path) {
  return no_figures(path);
}

Expected<void> draw_chart_file(const SeriesChart&, const DrawnFigureOptions&, const std::filesystem::path& path) {
  return no_figures(path);
}

Expected<void> draw_grid_file(const GridChart&, const DrawnFigureOptions&, const std::filesystem::path& path) {
  return no_figures(path);
}

bool figures_are_drawn() { return false; }

}  // namespace natscope
