// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/scored_drops.h"

#include <algorithm>
#include <numeric>

#include "core/cache/kernel_status.h"

namespace natscope {

Expected<void> drop_by_scores(kernels::KvCache& cache, LayerId layer, TokenPos now, const kernels::ScoreRule& rule,
                              std::span<const EvictedEntry> known, std::vector<EvictedEntry>* dropped) {
  const bool are_shared = rule.scores == kernels::EntryScores::of_last_query;
  if (are_shared) NATSCOPE_CHECK(from_status(cache.share_scores(layer), "cache"));
  if (rule.scores == kernels::EntryScores::of_prompt_end)
    NATSCOPE_CHECK(from_status(cache.pool_scores(layer, rule.recent), "cache"));
  for (const EvictedEntry& entry : known) {
    // Below every score.
    if (entry.layer == layer)
      NATSCOPE_CHECK(from_status(cache.set_score(layer, entry.kv_head, entry.position, -1), "cache"));
  }
  std::vector<TokenPos> positions;
  for (std::int32_t head = 0; head < cache.shape().kv_heads; ++head) {
    positions.clear();
    NATSCOPE_CHECK(
        from_status(cache.keep_by_scores(layer, KvHeadId(head), now, rule.heavy, rule.recent, &positions), "cache"));
    if (dropped == nullptr) continue;
    std::ranges::sort(positions);
    for (const TokenPos position : positions) dropped->push_back({layer, KvHeadId(head), position});
  }
  if (are_shared) NATSCOPE_CHECK(from_status(cache.clear_scores(layer), "cache"));
  return {};
}

std::vector<std::int32_t> positions_that_go(std::span<float> scores, TokenPos now, const kernels::ScoreRule& rule) {
  kernels::pool_scores(scores.first(static_cast<std::size_t>(std::max<std::int64_t>(0, now.value + 1 - rule.recent))));
  std::vector<std::int32_t> all(scores.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::int32_t> positions;
  for (const SlotId slot : kernels::slots_that_go(all, scores, now, rule.heavy, rule.recent))
    positions.push_back(slot.value);
  std::ranges::sort(positions);
  return positions;
}

}  // namespace natscope
