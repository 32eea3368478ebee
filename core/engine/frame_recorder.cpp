// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/frame_recorder.h"

#include <algorithm>
#include <utility>

#include "core/engine/kernel_status.h"

namespace natscope {

FrameRecorder::FrameRecorder(CacheGeometry geometry, bool has_scores, const RoleDecider& decider, TraceStore& store,
                             const Tokenizer& tokenizer)
    : geometry_(geometry), has_scores_(has_scores), decider_(decider), store_(store), decoder_(tokenizer) {
  const auto heads = static_cast<std::size_t>(geometry.layers) * static_cast<std::size_t>(geometry.kv_heads);
  tallies_.assign(heads, HeldTally(decider.window().value_or(0)));
}

std::size_t FrameRecorder::head_index(LayerId layer, std::int64_t kv_head) const {
  return static_cast<std::size_t>(std::int64_t{layer.value} * geometry_.kv_heads + kv_head);
}

void FrameRecorder::begin(TokenPos first, std::int64_t n) {
  first_ = first;
  n_ = n;
  const std::size_t size = tallies_.size() * static_cast<std::size_t>(n);
  roles_.resize(size);
  if (has_scores_) scores_.resize(size * role_count);
  if (!evicts()) return;
  entries_.assign(size, 0);
  evicted_.assign(static_cast<std::size_t>(n), {});
}

Expected<void> FrameRecorder::prescribe(LayerId layer, TokenPos first, kernels::View<Role, 2> roles) const {
  const auto n = static_cast<std::size_t>(roles.size(1));
  for (std::int32_t head = 0; head < geometry_.kv_heads; ++head)
    NATSCOPE_CHECK(decider_.prescribe(layer, KvHeadId(head), first, {&roles(head, 0), n}));
  return {};
}

Expected<void> FrameRecorder::decide(LayerId layer, TokenPos first, kernels::ConstView<float, 2> scores,
                                     kernels::View<Role, 2> roles) {
  const auto n = static_cast<std::size_t>(n_);
  for (std::int32_t head = 0; head < geometry_.kv_heads; ++head) {
    const std::size_t at = head_index(layer, head) * n;
    std::span<float> of_head;
    if (scores.data != nullptr) {
      of_head = std::span(scores_).subspan(at * role_count, n * role_count);
      for (std::int64_t row = 0; row < n_; ++row)
        std::copy_n(&scores(row, head * role_count), role_count, &of_head[static_cast<std::size_t>(row) * role_count]);
    }
    const std::span<Role> decided = std::span(roles_).subspan(at, n);
    NATSCOPE_CHECK(decider_.decide(layer, KvHeadId(head), first, of_head, decided));
    std::ranges::copy(decided, &roles(head, 0));
  }
  return {};
}

Expected<void> FrameRecorder::attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                       kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) {
  return store_.append(layer, first, queries, keys, lse);
}

Expected<void> FrameRecorder::evict(kernels::KvCache& cache, LayerId layer, TokenPos now) {
  const auto index = static_cast<std::size_t>(now.value - first_.value);
  const Policy& policy = decider_.plan().policy;
  for (std::int32_t head = 0; head < geometry_.kv_heads; ++head) {
    dropped_.clear();
    NATSCOPE_CHECK(from_status(
        cache.keep_heavy_hitters(layer, KvHeadId(head), now, policy.heavy, policy.recent, &dropped_), "cache"));
    for (const TokenPos position : dropped_) evicted_[index].push_back({layer, KvHeadId(head), position});
    entries_[index * tallies_.size() + head_index(layer, head)] =
        static_cast<std::int32_t>(cache.entries(layer, KvHeadId(head)));
  }
  return {};
}

Expected<void> FrameRecorder::prescribe_drops(LayerId, TokenPos, kernels::View<std::int32_t, 2> positions) const {
  for (std::int64_t n = 0; n < positions.size(0); ++n)
    std::fill_n(&positions(n, 0), positions.size(1), kernels::no_drop);
  return {};
}

Expected<void> FrameRecorder::dropped(LayerId layer, TokenPos now, std::span<const std::int32_t> positions,
                                      std::span<const std::int32_t> held) {
  const auto index = static_cast<std::size_t>(now.value - first_.value);
  for (std::size_t head = 0; head < positions.size(); ++head) {
    if (positions[head] != kernels::no_drop)
      evicted_[index].push_back({layer, KvHeadId(static_cast<std::int32_t>(head)), TokenPos(positions[head])});
    entries_[index * tallies_.size() + head_index(layer, static_cast<std::int64_t>(head))] = held[head];
  }
  return {};
}

/// Entries after the token, and the counts that follow from them.
void FrameRecorder::count(TokenFrame& frame) {
  std::int64_t paper = 0;
  entries_now_ = 0;
  for (std::size_t head = 0; head < tallies_.size(); ++head) {
    const std::int64_t held = tallies_[head].add(frame.roles[head]);
    if (!evicts()) frame.entries[head] = static_cast<std::int32_t>(held);
    entries_now_ += frame.entries[head];
    paper += tallies_[head].paper_entries();
  }
  frame.counts = count_cache(geometry_, frame.position.value + 1, entries_now_, 0,
                             decider_.counts_whole_window() ? std::optional(paper) : std::nullopt);
}

TokenFrame FrameRecorder::frame_of(std::int64_t index, std::int32_t token) {
  const std::size_t heads = tallies_.size();
  TokenFrame frame;
  frame.position = TokenPos(first_.value + static_cast<std::int32_t>(index));
  frame.token = token;
  frame.text = decoder_.push(token);
  frame.roles.resize(heads);
  frame.entries.resize(heads);
  if (has_scores_) frame.scores.resize(heads * role_count);
  for (std::size_t head = 0; head < heads; ++head) {
    const std::size_t at = head * static_cast<std::size_t>(n_) + static_cast<std::size_t>(index);
    frame.roles[head] = roles_[at];
    if (has_scores_) std::copy_n(&scores_[at * role_count], role_count, &frame.scores[head * role_count]);
    if (evicts()) frame.entries[head] = entries_[static_cast<std::size_t>(index) * heads + head];
  }
  if (evicts()) frame.evicted = std::move(evicted_[static_cast<std::size_t>(index)]);
  count(frame);
  return frame;
}

std::vector<TokenFrame> FrameRecorder::take(std::span<const std::int32_t> tokens) {
  std::vector<TokenFrame> frames;
  frames.reserve(tokens.size());
  for (std::size_t index = 0; index < tokens.size(); ++index)
    frames.push_back(frame_of(static_cast<std::int64_t>(index), tokens[index]));
  return frames;
}

}  // namespace natscope
