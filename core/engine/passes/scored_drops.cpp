// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/scored_drops.h"

#include "core/cache/kernel_status.h"

namespace natscope {

Expected<void> drop_by_scores(kernels::KvCache& cache, LayerId layer, TokenPos now, const kernels::ScoreRule& rule,
                              std::span<const EvictedEntry> known, std::vector<EvictedEntry>* dropped) {
  const bool are_shared = rule.scores == kernels::EntryScores::of_last_query;
  if (are_shared) NATSCOPE_CHECK(from_status(cache.share_scores(layer), "cache"));
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
    for (const TokenPos position : positions) dropped->push_back({layer, KvHeadId(head), position});
  }
  if (are_shared) NATSCOPE_CHECK(from_status(cache.clear_scores(layer), "cache"));
  return {};
}

}  // namespace natscope
