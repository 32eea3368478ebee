// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/frame_recorder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "core/base/hints.h"
#include "core/engine/passes/scored_drops.h"

namespace natscope {

namespace {

constexpr std::size_t frames_at_once = 64;  // what count() goes through head by head stays in the processor's cache

}  // namespace

FrameRecorder::FrameRecorder(CacheGeometry geometry, bool has_scores, const RoleDecider& decider, TraceStore& store,
                             const Tokenizer& tokenizer)
    : geometry_(geometry),
      has_scores_(has_scores),
      decider_(decider),
      rule_(score_rule(decider.plan().policy)),
      store_(store),
      decoder_(tokenizer) {
  const auto heads = static_cast<std::size_t>(geometry.layers) * static_cast<std::size_t>(geometry.kv_heads);
  tallies_.assign(heads, HeldTally(decider.window().value_or(0)));
  held_.assign(heads, 0);
}

std::size_t FrameRecorder::head_index(LayerId layer, std::int64_t kv_head) const {
  return static_cast<std::size_t>(std::int64_t{layer.value} * geometry_.kv_heads + kv_head);
}

void FrameRecorder::begin(TokenPos first, std::int64_t n, std::function<void(LayerId)> on_layer) {
  first_ = first;
  n_ = n;
  on_layer_ = std::move(on_layer);
  const std::size_t size = tallies_.size() * static_cast<std::size_t>(n);
  roles_.resize(size);
  if (has_scores_) scores_.resize(size * role_count);
  if (!rule_) return;
  entries_.resize(size);
  for (std::size_t index = 0; index < static_cast<std::size_t>(n); ++index) {  // unless something goes
    for (std::size_t head = 0; head < held_.size(); ++head)
      entries_[index * held_.size() + head] = held_[head] + static_cast<std::int32_t>(index) + 1;
  }
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
  const auto kv_heads = static_cast<std::size_t>(geometry_.kv_heads);
  const std::size_t at = static_cast<std::size_t>(layer.value) * n * kv_heads;
  const bool by_score = scores.data != nullptr;
  if (by_score) {
    head_scores_.resize(n * role_count);
    for (std::size_t row = 0; row < n; ++row)
      std::copy_n(&scores(static_cast<std::int64_t>(row), 0), kv_heads * role_count,
                  &scores_[(at + row * kv_heads) * role_count]);
  }
  decided_.resize(n);
  for (std::size_t head = 0; head < kv_heads; ++head) {
    if (by_score) {
      const float* from = &scores_[(at + head) * role_count];
      for (std::size_t row = 0; row < n; ++row, from += kv_heads * role_count)
        std::copy_n(from, role_count, &head_scores_[row * role_count]);
    }
    NATSCOPE_CHECK(decider_.decide(layer, KvHeadId(static_cast<std::int32_t>(head)), first,
                                   by_score ? std::span<const float>(head_scores_) : std::span<const float>(),
                                   decided_));
    std::ranges::copy(decided_, &roles(static_cast<std::int64_t>(head), 0));
    for (std::size_t row = 0; row < n; ++row) roles_[at + row * kv_heads + head] = decided_[row];
  }
  if (on_layer_) on_layer_(layer);
  return {};
}

Expected<void> FrameRecorder::attended(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                       kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse) {
  for (std::int64_t head = 0; head < lse.size(0); ++head) {
    for (std::int64_t row = 0; row < lse.size(1); ++row) {
      if (std::isfinite(lse(head, row))) continue;
      return fail(ErrorCode::unsupported_model,
                  "the attention of layer " + std::to_string(layer.value) + " is not a number", broken_weights);
    }
  }
  return store_.append(layer, first, queries, keys, lse);
}

Expected<void> FrameRecorder::evict(kernels::KvCache& cache, LayerId layer, TokenPos now) {
  const auto index = static_cast<std::size_t>(now.value - first_.value);
  NATSCOPE_CHECK(drop_by_scores(cache, layer, now, *rule_, evicted_[index]));
  for (std::int32_t head = 0; head < geometry_.kv_heads; ++head) {
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

Expected<void> FrameRecorder::choose_drops(LayerId layer, TokenPos now, kernels::View<float, 2> scores,
                                           std::vector<std::vector<TokenPos>>& positions) {
  const auto index = static_cast<std::size_t>(now.value - first_.value);
  positions = positions_that_go(scores, now, *rule_, layer, geometry_.layers);
  for (std::int32_t head = 0; head < geometry_.kv_heads; ++head) {
    const std::vector<TokenPos>& gone = positions[static_cast<std::size_t>(head)];
    for (const TokenPos position : gone) evicted_[index].push_back({layer, KvHeadId(head), position});
    entries_[index * tallies_.size() + head_index(layer, head)] -= static_cast<std::int32_t>(gone.size());
  }
  return {};
}

/// Entries after each token, and the counts that follow from them. Head by head, so that its tally stays at hand.
void FrameRecorder::count(std::span<TokenFrame> frames) {
  const bool from_roles = !rule_;
  std::array<std::int64_t, frames_at_once> entries{};
  std::array<std::int64_t, frames_at_once> paper{};
  for (std::size_t head = 0; head < tallies_.size(); ++head) {
    HeldTally& tally = tallies_[head];
    for (std::size_t n = 0; n < frames.size(); ++n) {
      const std::int64_t held = tally.add(frames[n].roles[head]);
      if (from_roles) frames[n].entries[head] = static_cast<std::int32_t>(held);
      entries[n] += frames[n].entries[head];
      paper[n] += tally.paper_entries();
    }
  }
  const bool whole_window = decider_.counts_whole_window();
  for (std::size_t n = 0; n < frames.size(); ++n) {
    frames[n].counts = count_cache(geometry_, frames[n].position.value + 1, entries[n], 0,
                                   whole_window ? std::optional(paper[n]) : std::nullopt);
    entries_now_ = entries[n];
  }
}

TokenFrame FrameRecorder::frame_of(std::int64_t index, std::int32_t token) {
  const std::size_t heads = tallies_.size();
  TokenFrame frame;
  frame.position = TokenPos(first_.value + static_cast<std::int32_t>(index));
  frame.token = token;
  frame.text = decoder_.push(token);
  const auto kv_heads = static_cast<std::size_t>(geometry_.kv_heads);
  frame.roles.reserve(heads);
  if (has_scores_) frame.scores.reserve(heads * role_count);
  for (std::size_t layer = 0; layer < static_cast<std::size_t>(geometry_.layers); ++layer) {
    const std::size_t at = (layer * static_cast<std::size_t>(n_) + static_cast<std::size_t>(index)) * kv_heads;
    const auto append = [](auto& to, const auto& from, std::size_t first, std::size_t count) {
      const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
      to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
    };
    append(frame.roles, roles_, at, kv_heads);
    if (has_scores_) append(frame.scores, scores_, at * role_count, kv_heads * role_count);
  }
  if (rule_) {
    const auto of_token = entries_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(index) * heads);
    frame.entries.assign(of_token, of_token + static_cast<std::ptrdiff_t>(heads));
    frame.evicted = std::move(evicted_[static_cast<std::size_t>(index)]);
  } else {
    frame.entries.resize(heads);
  }
  return frame;
}

std::vector<TokenFrame> FrameRecorder::take(std::span<const std::int32_t> tokens) {
  std::vector<TokenFrame> frames;
  frames.reserve(tokens.size());
  for (std::size_t first = 0; first < tokens.size(); first += frames_at_once) {
    const std::size_t end = std::min(tokens.size(), first + frames_at_once);
    for (std::size_t index = first; index < end; ++index)
      frames.push_back(frame_of(static_cast<std::int64_t>(index), tokens[index]));
    count(std::span(frames).subspan(first));
  }
  if (rule_ && !frames.empty()) held_ = frames.back().entries;
  return frames;
}

}  // namespace natscope
