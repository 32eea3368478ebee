// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <charconv>
#include <cmath>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/expected.h"

/// Writing numbers as text in pieces. Private to core/export.
namespace natscope {

/// Receives a text piece by piece, so that a large map never stands in memory twice.
using TextSink = std::function<Expected<void>(std::string_view)>;

/// The shortest digits that read back to the same number; "nan" and "inf" as std::to_chars writes them.
template <class Number>
void append_number(std::string& text, Number value) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof(digits), value);
  text.append(digits, result.ptr);
}

/// The same; `otherwise` for a number that is none.
inline void append_known(std::string& text, double value, const char* otherwise) {
  if (std::isfinite(value))
    append_number(text, value);
  else
    text += otherwise;
}

/// Hands `text` over and empties it once it is large enough for a write.
[[nodiscard]] inline Expected<void> pass_on(std::string& text, const TextSink& sink) {
  if (text.size() < (std::size_t{1} << 16U)) return {};
  NATSCOPE_CHECK(sink(text));
  text.clear();
  return {};
}

}  // namespace natscope
