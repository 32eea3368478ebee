// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/scored_drops.h"

#include <algorithm>
#include <numeric>

#include "core/cache/kernel_status.h"

namespace natscope {

namespace {

using kernels::BudgetSpread;
using kernels::EntryScores;
using kernels::View;

std::size_t count(std::int64_t number) { return static_cast<std::size_t>(number); }

/// The scores of one head by position, to row [tokens]. Errors: internal (it does not hold every position).
Expected<void> copy_scores(const kernels::KvCache& cache, LayerId layer, KvHeadId kv_head, std::span<float> row) {
  if (cache.entries(layer, kv_head) != std::ssize(row))
    return fail(ErrorCode::internal, "a head of the cache does not hold the whole prompt behind it");
  for (std::int64_t index = 0; index < cache.page_count(layer, kv_head); ++index) {
    const kernels::KvPage page = cache.page(layer, kv_head, index);
    for (std::int32_t entry = 0; entry < page.count; ++entry) row[count(page.positions[entry])] = page.scores[entry];
  }
  return {};
}

Expected<void> drop_behind_prompt(kernels::KvCache& cache, LayerId layer, TokenPos now, const kernels::ScoreRule& rule,
                                  std::vector<EvictedEntry>& dropped) {
  const std::int32_t kv_heads = cache.shape().kv_heads;
  const std::int64_t tokens = std::int64_t{now.value} + 1;
  std::vector<float> scores(count(kv_heads * tokens));
  for (std::int32_t head = 0; head < kv_heads; ++head)
    NATSCOPE_CHECK(
        copy_scores(cache, layer, KvHeadId(head), std::span(scores).subspan(count(head * tokens), count(tokens))));
  const auto gone = positions_that_go(View<float, 2>::packed(scores.data(), {kv_heads, tokens}), now, rule, layer,
                                      cache.shape().layers);
  for (std::int32_t head = 0; head < kv_heads; ++head) {
    NATSCOPE_CHECK(from_status(cache.drop(layer, KvHeadId(head), gone[count(head)]), "cache"));
    for (const TokenPos position : gone[count(head)]) dropped.push_back({layer, KvHeadId(head), position});
  }
  return {};
}

}  // namespace

Expected<void> drop_by_scores(kernels::KvCache& cache, LayerId layer, TokenPos now, const kernels::ScoreRule& rule,
                              std::vector<EvictedEntry>& dropped) {
  if (rule.scores == EntryScores::of_prompt_end) return drop_behind_prompt(cache, layer, now, rule, dropped);
  const bool are_shared = rule.scores == EntryScores::of_last_query;
  if (are_shared) NATSCOPE_CHECK(from_status(cache.share_scores(layer), "cache"));
  std::vector<TokenPos> positions;
  for (std::int32_t head = 0; head < cache.shape().kv_heads; ++head) {
    positions.clear();
    NATSCOPE_CHECK(
        from_status(cache.keep_by_scores(layer, KvHeadId(head), now, rule.heavy, rule.recent, &positions), "cache"));
    std::ranges::sort(positions);
    for (const TokenPos position : positions) dropped.push_back({layer, KvHeadId(head), position});
  }
  if (are_shared) NATSCOPE_CHECK(from_status(cache.clear_scores(layer), "cache"));
  return {};
}

Expected<void> drop_known(kernels::KvCache& cache, LayerId layer, const kernels::ScoreRule& rule,
                          std::span<const EvictedEntry> entries) {
  std::vector<std::vector<TokenPos>> gone(count(cache.shape().kv_heads));
  for (const EvictedEntry& entry : entries) {
    if (entry.layer == layer) gone[count(entry.kv_head.value)].push_back(entry.position);
  }
  for (std::int32_t head = 0; head < cache.shape().kv_heads; ++head)
    NATSCOPE_CHECK(from_status(cache.drop(layer, KvHeadId(head), gone[count(head)]), "cache"));
  if (rule.scores == EntryScores::of_last_query) NATSCOPE_CHECK(from_status(cache.clear_scores(layer), "cache"));
  return {};
}

std::vector<std::vector<TokenPos>> positions_that_go(View<float, 2> scores, TokenPos now,
                                                     const kernels::ScoreRule& rule, LayerId layer,
                                                     std::int32_t layers) {
  const std::int64_t heads = scores.size(0);
  const std::int64_t tokens = scores.size(1);
  const std::int64_t older = std::max<std::int64_t>(0, tokens - rule.recent);
  for (std::int64_t head = 0; head < heads; ++head) kernels::pool_scores({&scores(head, 0), count(older)});

  std::vector<std::int64_t> heavy(count(heads), rule.heavy);
  if (older > rule.heavy && rule.spread == BudgetSpread::by_layer)
    std::ranges::fill(heavy, kernels::heavy_of_layer(rule.heavy, older, rule.recent, layer, layers));
  if (older > rule.heavy && rule.spread == BudgetSpread::by_score)
    heavy = kernels::heavy_of_heads({scores.data, {heads, older}, scores.strides}, rule.heavy);

  std::vector<std::int32_t> all(count(tokens));
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::vector<TokenPos>> gone(count(heads));
  for (std::int64_t head = 0; head < heads; ++head) {
    const auto slots =
        kernels::slots_that_go(all, {&scores(head, 0), count(tokens)}, now, heavy[count(head)], rule.recent);
    for (const SlotId slot : slots) gone[count(head)].emplace_back(slot.value);
    std::ranges::sort(gone[count(head)]);
  }
  return gone;
}

}  // namespace natscope
