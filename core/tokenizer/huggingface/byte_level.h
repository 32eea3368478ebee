// SPDX-License-Identifier: GPL-3.0-or-later
/// Bytes written as printable characters, so that a vocabulary of bytes is a vocabulary of texts. Private to core/io.
/// Source: GPT-2's table: printable Latin-1 characters stand for themselves, the other bytes in order for U+0100 and
/// up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace natscope {

[[nodiscard]] std::string bytes_as_characters(std::string_view bytes);
/// The way back; nothing where a character stands for no byte.
[[nodiscard]] std::optional<std::string> characters_as_bytes(std::string_view characters);

}  // namespace natscope
