// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

namespace natscope {

/// --width of a figure as people write it: 89mm, 18.3cm, 3.5in or 252pt, of at least `least_mm` and at most two metres;
/// in points.
void add_width_option(CLI::App& command, std::optional<double>& points, const std::string& words, double least_mm = 20);

}  // namespace natscope
