// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/passkey_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>

namespace natscope::reproduce {
namespace {

/// What the cache holds of the documents, in percent, of the first length and of the last. Empty: nobody measured it.
std::string kv_text(const std::vector<PasskeyCell>& cells) {
  const auto percent = [](const PasskeyCell& cell) {
    std::array<char, 32> text{};
    if (cell.kv_fraction) std::snprintf(text.data(), text.size(), "%.1f", 100 * *cell.kv_fraction);
    return std::string(text.data());
  };
  const std::string first = percent(cells.front()), last = percent(cells.back());
  if (first.empty()) return {};
  return "KV " + (first == last ? first : first + " – " + last) + " %";
}

std::string title_of(const std::vector<PasskeyCell>& cells, bool whole) {
  if (!whole) return "Pass keys: share of the answers' tokens foreseen, %";
  const auto asked_alike = [&](const PasskeyCell& cell) { return cell.answers == cells.front().answers; };
  if (!std::ranges::all_of(cells, asked_alike)) return "Pass keys found, %";
  return "Pass keys found, % of " + std::to_string(cells.front().answers) + " in a cell";
}

std::string depth_text(const PasskeyCell& cell) {
  return std::to_string(std::lround(100 * cell.from)) + "–" + std::to_string(std::lround(100 * cell.until));
}

}  // namespace

GridChart passkey_chart(const std::vector<AskedCells>& asked) {
  GridChart chart;
  chart.row_label = "tokens of a document";
  chart.column_label = "depth of the key, %";
  if (asked.empty()) return chart;
  const std::vector<PasskeyCell>& first = asked.front().cells;
  const auto found = keys_found(first);
  const bool whole = found && found->right > 0;
  chart.title = title_of(first, whole);
  for (const PasskeyCell& cell : first) {
    const std::string length = std::to_string(cell.length);
    if (chart.rows.empty() || chart.rows.back() != length) chart.rows.push_back(length);
    if (chart.rows.size() == 1) chart.columns.push_back(depth_text(cell));
  }
  for (const AskedCells& each : asked) {
    GridPanel& panel = chart.panels.emplace_back(GridPanel{each.name, kv_text(each.cells), {}});
    for (const PasskeyCell& cell : each.cells) {
      const std::int64_t all = whole ? cell.answers : cell.tokens;
      const std::int64_t right = whole ? cell.right : cell.tokens_right;
      panel.shares.push_back(all == 0 ? std::optional<double>()
                                      : static_cast<double>(right) / static_cast<double>(all));
    }
  }
  return chart;
}

}  // namespace natscope::reproduce
