// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/drawn_figure.h"

namespace natscope {

Expected<void> draw_figure_file(const FigureData&, const DrawnFigureOptions&, const std::filesystem::path& path) {
  return fail(ErrorCode::usage, "this build draws no figures (" + path.extension().string() + "): it was made without Qt",
              "write npy, csv or json, or use a build with Qt");
}

}  // namespace natscope
