// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/position_range.h"

#include <charconv>
#include <optional>

namespace natscope {
namespace {

/// One side of `a:b`; `otherwise` when it is left out. Nothing when it is no whole number.
std::optional<std::int64_t> side(std::string_view text, std::int64_t otherwise) {
  if (text.empty()) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Expected<PositionRange> parse_range(std::string_view text, std::int64_t length) {
  const std::size_t colon = text.find(':');
  const auto begin = colon == std::string_view::npos ? std::nullopt : side(text.substr(0, colon), 0);
  const auto end = colon == std::string_view::npos ? std::nullopt : side(text.substr(colon + 1), length);
  if (!begin || !end) {
    return fail(ErrorCode::usage, "\"" + printable(text, 40) + "\" is not a range of positions",
                "write it as a:b, from a up to but without b; either may be left out");
  }
  if (*begin > length || *end > length) {
    return fail(ErrorCode::bad_position,
                "the range " + std::string(text) + " leaves the sequence of " + std::to_string(length) + " tokens");
  }
  if (*begin >= *end) return fail(ErrorCode::bad_range, "the range " + std::string(text) + " is empty");
  return PositionRange{static_cast<std::int32_t>(*begin), static_cast<std::int32_t>(*end)};
}

std::string range_text(PositionRange range) { return std::to_string(range.begin) + ':' + std::to_string(range.end); }

}  // namespace natscope
