// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace natscope::ui {

/// Which way a token is read, by its letters.
enum class TokenDirection : std::uint8_t {
  leftToRight,
  rightToLeft,  ///< Hebrew, Arabic and others
  number,       ///< digits alone: to the right, and in a line that is read from the right on the left of what precedes
  neutral,      ///< neither: spaces, punctuation, and what has no text
};

[[nodiscard]] TokenDirection directionOf(const QString& text);

/// The embedding level of each piece of a line (a token, or a space before one), by the Unicode bidirectional algorithm
/// (UAX 9) with pieces in place of characters: even ones are read from the left, odd ones from the right. A token that
/// has letters of both kinds is read as its first.
[[nodiscard]] std::vector<int> bidiLevels(std::span<const TokenDirection> line, bool isParagraphRightToLeft);

/// The order in which pieces of these levels stand from left to right, as indices.
[[nodiscard]] std::vector<std::size_t> visualOrder(std::span<const int> levels);

}  // namespace natscope::ui
