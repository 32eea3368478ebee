// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/expected.h"

namespace natscope {

/// Positions begin … end - 1.
struct PositionRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;

  [[nodiscard]] std::int64_t size() const { return end - begin; }
  friend bool operator==(const PositionRange&, const PositionRange&) = default;
};

/// Reads `a:b`, either side may be left out, against a sequence of `length` tokens.
/// Errors: usage (not of that form), bad_position (outside the sequence), bad_range (empty).
[[nodiscard]] Expected<PositionRange> parse_range(std::string_view text, std::int64_t length);

/// The same text for a range.
[[nodiscard]] std::string range_text(PositionRange range);

}  // namespace natscope
