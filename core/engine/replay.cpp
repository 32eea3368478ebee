// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/replay.h"

#include <algorithm>
#include <span>
#include <string>

#include "core/engine/passes/scored_drops.h"

namespace natscope {

namespace {

constexpr std::int64_t replay_chunk = 512;

/// The view of one head of [heads, n, head_dim].
kernels::ConstView<float, 3> only(kernels::ConstView<float, 3> rows, std::int64_t head) {
  return {&rows(head, 0, 0), {1, rows.size(1), rows.size(2)}, rows.strides};
}

template <class Run>
Expected<void> in_chunks(const RecordedSequence& sequence, std::int64_t most_tokens, const Run& run) {
  const std::span<const std::int32_t> tokens = sequence.tokens;
  const auto chunk = static_cast<std::size_t>(std::min(replay_chunk, most_tokens));
  for (std::size_t first = 0, n = 0; first < tokens.size(); first += n) {
    n = static_cast<std::size_t>(pass_tokens(sequence.weighed, static_cast<std::int64_t>(first),
                                             static_cast<std::int64_t>(std::min(chunk, tokens.size() - first))));
    NATSCOPE_CHECK(run(tokens.subspan(first, n), TokenPos(static_cast<std::int32_t>(first))));
  }
  return {};
}

}  // namespace

RecordedSequence RecordedSequence::copy(const SequenceRecord& record, std::int32_t layers, const Policy& policy,
                                        const WeighedTokens& weighed) {
  RecordedSequence sequence;
  sequence.kv_heads = record.geometry().kv_heads;
  sequence.window = record.window().value_or(0);
  for (const TokenFrame& frame : record.frames()) sequence.tokens.push_back(frame.token);
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    for (std::int32_t head = 0; head < sequence.kv_heads; ++head) {
      const std::span<const Role> roles = record.roles(LayerId(layer), KvHeadId(head));
      sequence.roles.emplace_back(roles.begin(), roles.end());
    }
  }
  sequence.rule = score_rule(policy);
  sequence.weighed = weighed;
  if (sequence.rule) {
    for (const TokenFrame& frame : record.frames()) sequence.evicted.push_back(frame.evicted);
  }
  return sequence;
}

Expected<void> ReplayObserver::prescribe(LayerId layer, TokenPos first, kernels::View<Role, 2> roles) const {
  for (std::int64_t head = 0; head < sequence_.kv_heads; ++head) {
    const std::vector<Role>& recorded =
        sequence_.roles[static_cast<std::size_t>(std::int64_t{layer.value} * sequence_.kv_heads + head)];
    std::copy_n(recorded.begin() + first.value, roles.size(1), &roles(head, 0));
  }
  return {};
}

Expected<void> ReplayObserver::decide(LayerId layer, TokenPos first, kernels::ConstView<float, 2>,
                                      kernels::View<Role, 2> roles) {
  return prescribe(layer, first, roles);
}

Expected<void> ReplayObserver::attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                        kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) {
  if (!wants_attended(layer)) return {};
  const LayerId kept(layer.value - first_.value);
  if (!only_head_) return store_->append(kept, first, queries, keys, lse);
  const std::int64_t head = only_head_->value;
  return store_->append(kept, first, only(queries, head), only(keys, head / group_),
                        {&lse(head, 0), {1, lse.size(1)}, lse.strides});
}

/// The same entries go as went before.
Expected<void> ReplayObserver::evict(kernels::KvCache& cache, LayerId layer, TokenPos now) {
  return drop_known(cache, layer, *sequence_.rule, sequence_.evicted[static_cast<std::size_t>(now.value)]);
}

Expected<void> ReplayObserver::prescribe_drops(LayerId layer, TokenPos first,
                                               kernels::View<std::int32_t, 2> positions) const {
  for (std::int64_t n = 0; n < positions.size(0); ++n) {
    std::fill_n(&positions(n, 0), positions.size(1), kernels::no_drop);
    for (const EvictedEntry& entry : sequence_.evicted[static_cast<std::size_t>(first.value + n)]) {
      if (entry.layer == layer) positions(n, entry.kv_head.value) = entry.position.value;
    }
  }
  return {};
}

Expected<void> ReplayObserver::dropped(LayerId layer, TokenPos now, std::span<const std::int32_t> positions,
                                       std::span<const std::int32_t>) {
  std::vector<std::int32_t> recorded(positions.size());
  NATSCOPE_CHECK(
      prescribe_drops(layer, now, kernels::View<std::int32_t, 2>::packed(recorded.data(), {1, sequence_.kv_heads})));
  if (!std::ranges::equal(recorded, positions))
    return fail(ErrorCode::internal,
                "a replay dropped other entries of layer " + std::to_string(layer.value) + " than before");
  return {};
}

/// The same positions as before, whatever the scores have become.
Expected<void> ReplayObserver::choose_drops(LayerId layer, TokenPos now, kernels::View<float, 2>,
                                            std::vector<std::vector<TokenPos>>& positions) {
  positions.assign(static_cast<std::size_t>(sequence_.kv_heads), {});
  for (const EvictedEntry& entry : sequence_.evicted[static_cast<std::size_t>(now.value)]) {
    if (entry.layer == layer) positions[static_cast<std::size_t>(entry.kv_head.value)].push_back(entry.position);
  }
  return {};
}

Expected<void> replay(const RecordedSequence& sequence, ChunkPass& pass, kernels::KvCache& cache,
                      ReplayObserver& observer, ChunkExtent extent, std::stop_token stop,
                      const std::function<void(std::int64_t done, std::int64_t total)>& on_progress) {
  cache.reset(sequence.window, sequence.rule.has_value());
  const auto all = static_cast<std::int64_t>(sequence.tokens.size());
  if (on_progress) on_progress(0, all);
  return in_chunks(sequence, pass.most_tokens(),
                   [&](std::span<const std::int32_t> tokens, TokenPos first) -> Expected<void> {
                     NATSCOPE_CHECK(pass.run(tokens, first, cache, observer, extent, stop));
                     if (on_progress) on_progress(first.value + static_cast<std::int64_t>(tokens.size()), all);
                     return {};
                   });
}

Expected<void> replay(const RecordedSequence& sequence, DevicePass& pass, std::int64_t most_tokens,
                      ReplayObserver& observer, ChunkExtent extent, std::stop_token stop) {
  NATSCOPE_CHECK(pass.reset_cache(sequence.window, sequence.rule));
  return in_chunks(sequence, most_tokens, [&](std::span<const std::int32_t> tokens, TokenPos first) {
    return pass.run(tokens, first, observer, extent, stop);
  });
}

}  // namespace natscope
