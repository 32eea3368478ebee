// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/picture_name.h"

#include "app/cli/commands/drawn_figure.h"
#include "core/export/data_files.h"

namespace natscope {

Expected<void> check_picture_name(const std::string& path) {
  if (!figures_are_drawn()) {
    return fail(ErrorCode::usage, "--figure: this build draws no figures, it was made without Qt",
                "write the numbers with --csv");
  }
  const auto format = export_format(path);
  if (format && !is_data_format(*format)) return {};
  return fail(ErrorCode::usage, "--figure " + printable(path) + " is no name of a picture",
              "end it in .svg, .pdf or .png");
}

}  // namespace natscope
