// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/byte_level.h"

#include <array>
#include <cstddef>

namespace natscope {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

/// Code points, all below U+0180.
constexpr std::array<unsigned, 256> code_points = [] {
  std::array<unsigned, 256> table{};
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) table[byte] = stands_for_itself(byte) ? byte : next++;
  return table;
}();

constexpr std::size_t beyond = 0x180;
constexpr std::array<int, beyond> bytes_of = [] {
  std::array<int, beyond> table{};
  for (int& byte : table) byte = -1;
  for (unsigned byte = 0; byte < 256; ++byte) table[code_points[byte]] = static_cast<int>(byte);
  return table;
}();

}  // namespace

std::string bytes_as_characters(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const unsigned point = code_points[static_cast<unsigned char>(c)];
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else {
      text += {static_cast<char>(0xC0U | (point >> 6U)), static_cast<char>(0x80U | (point & 0x3FU))};
    }
  }
  return text;
}

std::optional<std::string> characters_as_bytes(std::string_view characters) {
  std::string bytes;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    unsigned point = static_cast<unsigned char>(characters[i]);
    if (point >= 0x80) {
      // Two bytes hold all that is below U+0180; what is longer stands for no byte.
      if (point >= 0xE0 || i + 1 == characters.size()) return std::nullopt;
      point = ((point & 0x1FU) << 6U) | (static_cast<unsigned char>(characters[++i]) & 0x3FU);
    }
    if (point >= beyond || bytes_of[point] < 0) return std::nullopt;
    bytes += static_cast<char>(bytes_of[point]);
  }
  return bytes;
}

}  // namespace natscope
