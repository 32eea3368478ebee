// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/json/json_lines.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/json/json_limits.h"

namespace natscope {

Expected<void> for_each_json_line(
    std::string_view text, std::string_view name,
    const std::function<Expected<void>(const nlohmann::json& line, const std::string& where)>& take) {
  constexpr JsonLimits limits{std::size_t{64} << 20U, 8, 4096};
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = printable(name) + ", line " + std::to_string(number);
    const auto json = parse_json(line, limits, where);
    if (!json) return fail(ErrorCode::bad_data, json.error().message, "a *.jsonl file holds one JSON object a line");
    NATSCOPE_CHECK(take(*json, where));
  }
  return {};
}

}  // namespace natscope
