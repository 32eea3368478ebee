// SPDX-License-Identifier: GPL-3.0-or-later
/// Numbers in what commands report.
#pragma once

#include <array>
#include <charconv>
#include <cstdio>
#include <string>

namespace natscope {

/// The shortest digits that read back to the same number: for files.
[[nodiscard]] inline std::string digits(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// printf into a text of less than 512 bytes: for lines that people read.
template <class... Values>
[[nodiscard]] std::string formatted(const char* format, Values... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

}  // namespace natscope
