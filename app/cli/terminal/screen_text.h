// SPDX-License-Identifier: GPL-3.0-or-later
/// What a line takes of a terminal's screen: what is drawn over must neither wrap nor scroll away.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace natscope {

/// Rows of the terminal behind stderr, 24 where it does not say.
[[nodiscard]] int terminal_rows();

/// Columns that a line of text takes on screen, from column `begin` on: wide characters two, marks above others none, a
/// tab up to the next eighth column, colours (ESC [ … m) none. `text` is UTF-8.
[[nodiscard]] int screen_columns(std::string_view text, int begin = 0);
/// The texts with blanks behind them, so that all take the same columns.
[[nodiscard]] std::vector<std::string> as_column(std::vector<std::string> texts);
/// The beginning of a line that takes at most so many columns; colours that are on where it is cut are turned off.
[[nodiscard]] std::string cut_to_columns(std::string_view text, int columns);

}  // namespace natscope
