// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <new>
#include <vector>

#include "kernels/cuda/kv_append.h"
#include "kernels/cuda/kv_evict.h"
#include "tests/kernels/host_team.h"
#include "tests/kernels/tested_cache.h"

namespace natscope::test {

/// Memory as a device gives it, between guard zones; every byte starts as one of a NaN.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::int64_t size_bytes)
      : size_(static_cast<std::size_t>(size_bytes)), words_((size_ + 2 * guard + 255) / 16 + 1) {
    std::memset(words_.data(), guard_byte, words_.size() * sizeof(Word));
    std::memset(data(), 0xff, size_);
  }
  [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(words_.data()) + guard; }
  [[nodiscard]] bool guards_hold() const {
    const auto* const bytes = reinterpret_cast<const unsigned char*>(words_.data());
    const auto is_guard = [](unsigned char byte) { return byte == guard_byte; };
    return std::all_of(bytes, bytes + guard, is_guard) &&
           std::all_of(bytes + guard + size_, bytes + words_.size() * sizeof(Word), is_guard);
  }

 private:
  static constexpr std::size_t guard = 256;
  static constexpr unsigned char guard_byte = 0xa5;
  struct alignas(16) Word {
    unsigned char bytes[16];
  };
  std::size_t size_;
  std::vector<Word> words_;
};

/// kernels/cuda's cache in ordinary memory: its arena and its appends (kv_arena.h, kv_append.h), heads one after the
/// other.
class CacheOnHost : public TestedCache {
 public:
  CacheOnHost(const kernels::KvCacheShape& shape, std::int64_t max_tokens, std::int64_t window,
              const kernels::ScoreRule* rule = nullptr)
      : arena_(kernels::cuda::sized_arena(shape, max_tokens, shape.limit_bytes)),
        tables_(kernels::cuda::divide_tables(arena_, nullptr)),
        scores_(kernels::cuda::set_score_rule(arena_, rule, max_tokens)) {
    kernels::cuda::divide_tables(arena_, tables_.data());
    std::memset(arena_.heads, 0, static_cast<std::size_t>(arena_.head_count()) * sizeof(kernels::cuda::KvHeadState));
    std::memset(arena_.stock, 0, sizeof(kernels::cuda::KvPageStock));
    arena_.scores = reinterpret_cast<float*>(scores_.data());
    // As DeviceKvCache::reset: there a token's own score does not come before what is added to it.
    if (rule != nullptr && rule->scores == kernels::EntryScores::of_prompt_end)
      std::fill_n(arena_.scores, arena_.head_count() * arena_.most_scored, 0.0F);
    set_window(arena_, window, max_tokens);
    arena_.most_tokens = static_cast<std::int32_t>(max_tokens);
    moves_.assign(static_cast<std::size_t>(arena_.moves_bytes() / 4), -7);
    slots_.assign(static_cast<std::size_t>(arena_.slots_bytes() / 4), -7);
  }

  kernels::Status reserve(std::int64_t tokens, std::int64_t layers) override {
    take_back_pages(HostTeam(), shared_, arena_);
    const std::int64_t needed = layers * arena_.kv_heads * arena_.pages_for(tokens);
    while (arena_.stock->free < needed && static_cast<std::int32_t>(slabs_.size()) < arena_.slab_count()) {
      slabs_.emplace_back(arena_.slab_bytes());
      add_slab_pages(HostTeam(), arena_, static_cast<std::int32_t>(slabs_.size()) - 1, slabs_.back().data());
    }
    if (arena_.stock->free < needed && !arena_.is_never_short())
      return {kernels::StatusCode::out_of_memory, "the cache's limit"};
    return {};
  }

  kernels::Status append(const AppendedStep& step) override {
    for (std::int64_t kv_head = 0; kv_head < arena_.kv_heads; ++kv_head)
      append(step, kv_head, moves_of(kv_head), slots_.data() + kv_head * arena_.most_tokens);
    return {};
  }
  kernels::Status append_token(const std::vector<AppendedStep>& layers) override {
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      const auto turn = static_cast<std::int64_t>(layer) % arena_.layers_at_once;
      for (std::int64_t kv_head = 0; kv_head < arena_.kv_heads; ++kv_head) {
        const std::int64_t place = turn * arena_.kv_heads + kv_head;
        append(layers[layer], kv_head, moves_of(place), slots_.data() + place);
      }
    }
    return {};
  }

  kernels::Status keep_by_scores(DropStep& step) override {
    take_back_pages(HostTeam(), shared_, arena_);
    step.dropped.clear();
    step.held.clear();
    const auto heads = static_cast<std::size_t>(arena_.kv_heads);
    if (arena_.entry_scores == kernels::EntryScores::of_last_query) {
      for (std::size_t first = 0; first < step.self_scores.size(); first += heads) {
        share_scores(HostTeam(), arena_, step.layer.value + static_cast<std::int64_t>(first / heads),
                     [&](std::int32_t head) { return step.self_scores[first + static_cast<std::size_t>(head)]; });
      }
    }
    for (std::size_t index = 0; index < step.self_scores.size(); ++index) {
      const auto place = static_cast<std::int64_t>(index);
      const kernels::cuda::KvHeadPages head(arena_, step.layer.value + place / arena_.kv_heads,
                                            place % arena_.kv_heads);
      step.dropped.push_back(
          kernels::cuda::keep_by_scores(HostTeam(), head, step.self_scores[index], step.prescribed[index]));
      step.held.push_back(head.state->entries());
    }
    return {};
  }

  kernels::Status drop_entries(const EntryStep& step) override {
    for (std::size_t index = 0; index < step.kept.size(); ++index) {
      const auto place = static_cast<std::int64_t>(index);
      const kernels::cuda::KvHeadPages head(arena_, step.layer.value + place / arena_.kv_heads,
                                            place % arena_.kv_heads);
      keep_slots(HostTeam(), shared_, head, step.kept[index], step.from.data() + place * step.most,
                 step.to.data() + place * step.most, step.moves[index]);
    }
    return {};
  }

  kernels::Status finish_step() override {
    take_back_pages(HostTeam(), shared_, arena_);
    if (!scores_.guards_hold())
      return {kernels::StatusCode::invalid_argument, "a guard zone of the scores was written"};
    if (!tables_.guards_hold())
      return {kernels::StatusCode::invalid_argument, "a guard zone of the tables was written"};
    for (const GuardedBytes& slab : slabs_) {
      if (!slab.guards_hold()) return {kernels::StatusCode::invalid_argument, "a guard zone of a slab was written"};
    }
    if (arena_.stock->failed > 0) return {kernels::StatusCode::out_of_memory, "cache page"};
    return {};
  }

  kernels::cuda::HeadEntries read(LayerId layer, KvHeadId kv_head) override {
    const kernels::cuda::KvHeadPages head(arena_, layer.value, kv_head.value);
    kernels::cuda::HeadEntries entries;
    for (std::int32_t slot = 0; slot < head.state->entries(); ++slot) {
      entries.positions.push_back(head.position(slot));
      if (arena_.most_scored > 0) entries.scores.push_back(head.scores[slot]);
      const std::int32_t locals = head.state->held[0];
      entries.roles.push_back(slot < locals                         ? Role::global
                              : slot < locals + head.state->held[1] ? Role::local
                                                                    : Role::sliding);
      for (std::int64_t d = 0; d < arena_.head_dim; ++d) {
        entries.keys.push_back(stored(head.key_row(slot), d));
        entries.values.push_back(stored(head.key_row(slot) + head.value_offset(), d));
      }
    }
    return entries;
  }

  std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) override {
    const auto& held = kernels::cuda::KvHeadPages(arena_, layer.value, kv_head.value).state->held;
    return {held[0], held[1], held[2]};
  }
  PageCounts pages() override {
    PageCounts pages{0, static_cast<std::int64_t>(slabs_.size()) << arena_.pages_per_slab_log2};
    for (std::int64_t head = 0; head < arena_.head_count(); ++head) pages.in_use += arena_.heads[head].pages;
    return pages;
  }

  [[nodiscard]] const kernels::cuda::KvArena& arena() const { return arena_; }
  /// Element d of a row of keys or values.
  [[nodiscard]] float stored(const std::byte* row, std::int64_t d) const {
    return arena_.dtype == kernels::ElementType::f32
               ? reinterpret_cast<const float*>(row)[d]
               : kernels::to_float(reinterpret_cast<const kernels::Bf16*>(row)[d]);
  }

 private:
  [[nodiscard]] std::int32_t* moves_of(std::int64_t place) { return moves_.data() + 2 * place * arena_.most_moves; }
  void append(const AppendedStep& step, std::int64_t kv_head, std::int32_t* moves, std::int32_t* slots) {
    const kernels::cuda::KvHeadPages head(arena_, step.layer.value, kv_head);
    const kernels::cuda::AppendedTokens tokens{step.roles.data() + kv_head * step.count, 1,
                                               static_cast<std::int32_t>(step.count)};
    append_to_head(HostTeam(), shared_, head, tokens, moves, slots);
    for (std::int64_t row = 0; row < step.count; ++row) {
      if (slots[row] < 0) continue;
      const std::int64_t from = (kv_head * step.count + row) * arena_.head_dim;
      store(head.key_row(slots[row]), step.keys.data() + from);
      store(head.key_row(slots[row]) + head.value_offset(), step.values.data() + from);
      head.position(slots[row]) = head.state->next_position - static_cast<std::int32_t>(step.count - row);
    }
  }
  void store(std::byte* row, const float* from) const {
    for (std::int64_t d = 0; d < arena_.row_elements; ++d) {
      const float number = d < arena_.head_dim ? from[d] : 0.0F;
      if (arena_.dtype == kernels::ElementType::f32) {
        reinterpret_cast<float*>(row)[d] = number;
      } else {
        reinterpret_cast<kernels::Bf16*>(row)[d] = kernels::to_bf16(number);
      }
    }
  }

  kernels::cuda::KvArena arena_;
  GuardedBytes tables_;
  GuardedBytes scores_;
  std::deque<GuardedBytes> slabs_;
  std::vector<std::int32_t> moves_, slots_;
  kernels::cuda::AppendShared shared_{};
};

}  // namespace natscope::test
