// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/score_rule.h"

#include <algorithm>
#include <cstddef>

namespace natscope::kernels {

void pool_scores(std::span<float> scores) {
  constexpr auto reach = std::ptrdiff_t{pooled_positions / 2};
  const std::vector<float> own(scores.begin(), scores.end());
  const auto end = static_cast<std::ptrdiff_t>(own.size());
  for (std::ptrdiff_t n = 0; n < end; ++n) {
    double sum = 0;
    for (std::ptrdiff_t near = std::max<std::ptrdiff_t>(n - reach, 0); near <= std::min(n + reach, end - 1); ++near)
      sum += static_cast<double>(own[static_cast<std::size_t>(near)]);
    scores[static_cast<std::size_t>(n)] = static_cast<float>(sum / pooled_positions);
  }
}

std::vector<SlotId> slots_that_go(std::span<const std::int32_t> positions, std::span<const float> scores, TokenPos now,
                                  std::int64_t heavy, std::int64_t recent) {
  std::vector<SlotId> older;
  for (std::size_t slot = 0; slot < positions.size(); ++slot) {
    if (positions[slot] + recent <= now.value) older.emplace_back(static_cast<std::int32_t>(slot));
  }
  if (static_cast<std::int64_t>(older.size()) <= heavy) return {};
  const auto at = [](SlotId slot) { return static_cast<std::size_t>(slot.value); };
  const auto heavier = [&](SlotId a, SlotId b) {
    if (scores[at(a)] != scores[at(b)]) return scores[at(a)] > scores[at(b)];
    return positions[at(a)] < positions[at(b)];
  };
  std::nth_element(older.begin(), older.begin() + heavy, older.end(), heavier);
  older.erase(older.begin(), older.begin() + heavy);
  return older;
}

}  // namespace natscope::kernels
