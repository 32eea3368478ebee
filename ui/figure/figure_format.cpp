// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_format.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace natscope::ui {

Expected<FigureFormat> figureFormat(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (ending == ".png") return FigureFormat::png;
  if (ending == ".svg") return FigureFormat::svg;
  if (ending == ".pdf") return FigureFormat::pdf;
  return fail(ErrorCode::usage, "a figure ends in .png, .svg or .pdf, not in '" + printable(ending) + "'");
}

}  // namespace natscope::ui
