// SPDX-License-Identifier: GPL-3.0-or-later
/// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace natscope {

[[nodiscard]] bool valid_utf8(std::string_view text);

/// Bytes of the character that `text` starts with, 1 … 4; 0 when it starts with none (or is empty).
[[nodiscard]] std::size_t utf8_character_length(std::string_view text);

/// Bytes of the broken part that `text` starts with, where it starts with no character: the longest beginning of one,
/// at least 1 (Unicode's recommended practice of replacing). 0 when it is empty.
[[nodiscard]] std::size_t utf8_broken_length(std::string_view text);

/// Length of the longest prefix of `text` that may be shown now: everything but a character at the end that more bytes
/// could still complete. Bytes that no continuation can repair count as complete (they will be replaced, not waited
/// for), so at most 3 bytes are ever held back.
[[nodiscard]] std::size_t complete_prefix_length(std::string_view text);

}  // namespace natscope
