// SPDX-License-Identifier: GPL-3.0-or-later
/// Python's str, as far as templates use it: characters are code points.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/expected.h"

namespace natscope::jinja {

enum class Sides { left, right, both };

/// str.strip, lstrip and rstrip: without the white space at its ends, or without the given characters.
[[nodiscard]] std::string_view stripped(std::string_view text, std::optional<std::string_view> characters, Sides sides);

/// str.split and rsplit: at a separator, or (without one) at white space; at most so many times, negative: always.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, std::optional<std::string_view> separator,
                                                  std::int64_t times, bool from_the_right);

/// Where `part` begins in `text`, in time that goes with their sizes added, not multiplied; npos: nowhere.
[[nodiscard]] std::size_t find_text(std::string_view text, std::string_view part);

/// str.replace; `times` negative: all. Errors: bad_tokenizer (over most_text_bytes).
[[nodiscard]] Expected<std::string> replaced(std::string_view text, std::string_view from, std::string_view to,
                                             std::int64_t times);

enum class LetterCase { lower, upper, title, capitalized };
/// str.lower, upper, title, capitalize. Errors: unsupported_tokenizer for letters beyond ASCII.
[[nodiscard]] Expected<std::string> in_case(std::string_view text, LetterCase letters);

/// Adds a character by its number; false where there is none.
[[nodiscard]] bool append_character(std::string& text, std::uint32_t code);

}  // namespace natscope::jinja
