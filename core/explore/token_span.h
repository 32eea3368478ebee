// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace natscope {

/// Tokens first … end - 1 of a sequence.
struct TokenSpan {
  std::int64_t first = 0;
  std::int64_t end = 0;

  friend bool operator==(const TokenSpan&, const TokenSpan&) = default;
};

}  // namespace natscope
