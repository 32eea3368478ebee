// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/train_loops.h"

/// What a block of a prefill's queries goes through: tiles of what the cache holds, slot by slot, then tiles of the
/// chunk's own keys in the order of a TrainPlan (train_plan.h). Queries are counted from the chunk's first one.
namespace natscope::kernels::cuda {

/// What the cache holds of one KV head: globals, then locals, then sliding entries (kv_append.h).
struct CachedKeys {
  std::int32_t globals = 0;
  std::int32_t locals_end = 0;  ///< slot behind the last local
  std::int32_t end = 0;         ///< slot behind the last entry
  std::int32_t local_last = 0;  ///< the last query that sees the locals: the chunk's first global
  std::int32_t first = 0;       ///< position of query 0
  std::int64_t window = 0;

  /// Whether query m sees the entry in a slot; `position(slot)` is asked of sliding ones.
  template <class Position>
  [[nodiscard]] NATSCOPE_HD bool sees(std::int32_t slot, std::int32_t m, const Position& position) const {
    if (slot < globals) return true;
    if (slot < locals_end) return m <= local_last;
    return slot < end && position(slot) + window >= static_cast<std::int64_t>(first) + m;
  }
  /// Whether queries up to `last` see all slots from `slot` to before slot + tile, so that no mask is needed.
  [[nodiscard]] NATSCOPE_HD bool is_whole(std::int32_t slot, std::int32_t tile, std::int32_t last) const {
    return slot + tile <= globals || (slot + tile <= locals_end && last <= local_last);
  }
};

/// The chunk's first global, which ends the locals of the cache.
[[nodiscard]] NATSCOPE_HD inline std::int32_t first_global(const TrainPlan& plan) {
  const PlaceRange globals = plan.runs[static_cast<int>(Role::global)];
  return globals.begin < globals.end ? plan.position[globals.begin] : no_next_global;
}

/// The tiles that a block of queries goes through. Of the cache those in which some query may see something, none
/// twice; then the chunk's.
class PrefillTiles {
 public:
  NATSCOPE_HD PrefillTiles(const CachedKeys& cached, const TrainPlan& plan, std::int32_t block)
      : in_chunk_(plan, block) {
    const std::int32_t first = block * plan.tile;
    set<0>(0, 0, cached.globals, true, plan.tile);
    set<1>(end_[0], cached.globals, cached.locals_end, first <= cached.local_last, plan.tile);
    // The newest entry of the cache is the token before the chunk.
    set<2>(end_[1], cached.locals_end, cached.end, first < cached.window, plan.tile);
    cached_ = (end_[0] - first_[0]) + (end_[1] - first_[1]) + (end_[2] - first_[2]);
  }
  [[nodiscard]] NATSCOPE_HD std::int32_t count() const { return cached_ + in_chunk_.count(); }
  [[nodiscard]] NATSCOPE_HD bool is_cached(std::int32_t index) const { return index < cached_; }
  /// Number of the index-th tile: of the cache slots, of the chunk places from tile · plan.tile on.
  [[nodiscard]] NATSCOPE_HD std::int32_t operator[](std::int32_t index) const {
    if (index >= cached_) return in_chunk_[index - cached_];
    const std::int32_t second = end_[0] - first_[0];
    const std::int32_t third = second + end_[1] - first_[1];
    if (index < second) return first_[0] + index;
    return index < third ? first_[1] + index - second : first_[2] + index - third;
  }

 private:
  /// Tiles of the slots from `begin` to before `end`, from the tile `earlier` on: those before it are there already.
  template <int run>
  NATSCOPE_HD void set(std::int32_t earlier, std::int32_t begin, std::int32_t end, bool seen, std::int32_t tile) {
    first_[run] = end_[run] = earlier;
    if (!seen || begin >= end) return;
    if (begin / tile > earlier) first_[run] = begin / tile;
    end_[run] = (end + tile - 1) / tile;  // at least `earlier`: runs follow each other
  }

  std::int32_t first_[role_count];
  std::int32_t end_[role_count];
  std::int32_t cached_ = 0;
  TrainTiles in_chunk_;
};

/// Output and log-sum-exp of the queries of one block of one head. Besides what train_forward_block asks of a Block:
/// fetch_cached(tile, stage), and cached_position(slot).
template <class Block>
NATSCOPE_HD void prefill_block(Block& block, const CachedKeys& cached, const TrainPlan& plan, std::int32_t query_block,
                               float scale_log2) {
  const PrefillTiles tiles(cached, plan, query_block);
  const std::int32_t first = query_block * plan.tile;
  const std::int32_t last = (first + plan.tile < plan.length ? first + plan.tile : plan.length) - 1;
  block.fetch_queries(query_block);
  const PlanRuns runs(plan);
  const auto fetch = [&](std::int32_t index, int stage) {
    if (tiles.is_cached(index)) {
      block.fetch_cached(tiles[index], stage);
    } else {
      block.fetch_keys(tiles[index], stage);
    }
  };
  through_stages(block, tiles.count(), fetch, [&](std::int32_t index, int stage) {
    const std::int32_t begin = tiles[index] * plan.tile;
    const bool is_cached = tiles.is_cached(index);
    const bool whole = is_cached ? cached.is_whole(begin, plan.tile, last)
                                 : is_whole(reach_of_tile(plan, runs, tiles[index]), plan.tile, first, plan.length);
    block.score(stage);
    if (is_cached) {
      if (!whole) {
        block.each_score([&](std::int32_t row, std::int32_t column, float& score) {
          const auto position = [&](std::int32_t slot) { return block.cached_position(slot); };
          if (!cached.sees(begin + column, first + row, position)) score = -INFINITY;
        });
      }
    } else if (!whole) {
      block.each_score([&](std::int32_t row, std::int32_t column, float& score) {
        if (!plan.sees(begin + column, first + row)) score = -INFINITY;
      });
    }
    block.soften(scale_log2);
    block.add_values(stage);
  });
  block.write_output(query_block, scale_log2);
}

}  // namespace natscope::kernels::cuda
