// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/utf8.h"

#include <algorithm>

namespace natscope {
namespace {

struct Lead {
  std::size_t length = 0;        ///< 0: no character starts so
  unsigned char second_min = 0;  ///< range of the second byte, which rules out overlong forms, surrogates, too large
  unsigned char second_max = 0;
};

/// Table 3-7 of the Unicode standard.
constexpr Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

struct Prefix {
  std::size_t bytes = 0;   ///< how much of `text` belongs to its first character, valid or broken; at least 1
  std::size_t wanted = 0;  ///< bytes of the whole character; 0 when its first byte can start none
  bool valid = false;
};

/// The first character of a text that is not empty, or the longest part of it that could begin one.
Prefix first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead start = lead(byte(0));
  if (start.length <= 1) return {1, start.length, start.length == 1};
  std::size_t have = 1;
  while (have < start.length && have < text.size()) {
    const unsigned char low = have == 1 ? start.second_min : 0x80;
    const unsigned char high = have == 1 ? start.second_max : 0xBF;
    if (byte(have) < low || byte(have) > high) break;
    ++have;
  }
  return {have, start.length, have == start.length};
}

}  // namespace

std::size_t utf8_character_length(std::string_view text) {
  if (text.empty()) return 0;
  const Prefix prefix = first_character(text);
  return prefix.valid ? prefix.bytes : 0;
}

std::size_t utf8_broken_length(std::string_view text) { return text.empty() ? 0 : first_character(text).bytes; }

bool valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const Prefix prefix = first_character(text);
    if (!prefix.valid) return false;
    text.remove_prefix(prefix.bytes);
  }
  return true;
}

std::size_t complete_prefix_length(std::string_view text) {
  // Only the last three bytes can be the beginning of an unfinished character.
  for (std::size_t held = std::min<std::size_t>(3, text.size()); held > 0; --held) {
    const std::string_view tail = text.substr(text.size() - held);
    const Prefix prefix = first_character(tail);
    if (prefix.wanted > held && prefix.bytes == held) return text.size() - held;
  }
  return text.size();
}

}  // namespace natscope
