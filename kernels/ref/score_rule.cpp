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

std::int64_t heavy_of_layer(std::int64_t heavy, std::int64_t older, std::int64_t recent, LayerId layer,
                            std::int32_t layers) {
  if (layers < 2 || older + recent < 2 * heavy) return heavy;
  const std::int64_t most = std::min(older, 2 * heavy - heavy / pyramid_beta);
  const std::int64_t fall = 2 * (most - heavy);
  const std::int64_t steps = layers - 1;
  // To the nearest, and the last layers as far below the mean as the first ones are over it, so that it is exact.
  const auto over = [&](std::int64_t from_first) {
    return most - heavy - (2 * from_first * fall + steps) / (2 * steps);
  };
  const std::int64_t from_last = steps - layer.value;
  if (2 * layer.value == steps) return heavy;
  return layer.value < from_last ? heavy + over(layer.value) : heavy - over(from_last);
}

std::vector<std::int64_t> heavy_of_heads(ConstView<float, 2> scores, std::int64_t heavy) {
  struct Entry {
    float score;
    std::int64_t position;
    std::int64_t head;
  };
  const auto heavier = [](const Entry& a, const Entry& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.position != b.position ? a.position < b.position : a.head < b.head;
  };
  const std::int64_t heads = scores.size(0);
  const std::int64_t own = heavy / adaptive_floor_divisor;
  std::vector<Entry> shared;  // what no head keeps whatever the others have
  std::vector<Entry> of_head;
  for (std::int64_t head = 0; head < heads; ++head) {
    of_head.clear();
    for (std::int64_t position = 0; position < scores.size(1); ++position)
      of_head.push_back({scores(head, position), position, head});
    std::nth_element(of_head.begin(), of_head.begin() + own, of_head.end(), heavier);
    shared.insert(shared.end(), of_head.begin() + own, of_head.end());
  }
  const auto end = shared.begin() + heads * (heavy - own);
  std::nth_element(shared.begin(), end, shared.end(), heavier);
  std::vector<std::int64_t> kept(static_cast<std::size_t>(heads), own);
  std::for_each(shared.begin(), end, [&](const Entry& entry) { ++kept[static_cast<std::size_t>(entry.head)]; });
  return kept;
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
