// SPDX-License-Identifier: GPL-3.0-or-later
/// Text that a model of seconds can learn something of; other lines for other begins.
#pragma once

#include <string>

namespace natscope::test {

inline std::string made_up_text(int begin, int lines) {
  static const char* const words[] = {"the", "river", "ran", "past", "a", "quiet", "house", "and", "nobody", "saw"};
  std::string text;
  for (int i = begin; i < begin + lines; ++i) {
    for (int n = 0; n < 9; ++n) text += std::string(words[(i * 7 + n * n * 3 + i / 5) % 10]) + (n == 8 ? ".\n" : " ");
  }
  return text;
}

}  // namespace natscope::test
