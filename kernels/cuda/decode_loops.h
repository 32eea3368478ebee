// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/kv_arena.h"
#include "kernels/cuda/train_loops.h"

/// A decode's work: all heads' keys in tiles, one after the other, cut into equal shares whatever head they belong to,
/// and what the shares found put together. For the device and for the CPU test that holds it to `ref`.
namespace natscope::kernels::cuda {

inline constexpr std::int32_t decode_rows = 16;        ///< query heads that one tile takes
inline constexpr std::int32_t least_decode_tiles = 2;  ///< a share below that is not worth a partial sum
inline constexpr std::int32_t merge_slices = 8;        ///< of a head's partial sums, added up side by side

/// Keys of a tile.
[[nodiscard]] NATSCOPE_HD constexpr std::int32_t decode_tile(ElementType dtype) {
  return dtype == ElementType::bf16 ? 32 : 16;
}

/// Tiles from `begin` to before `end` of all of them, in the order of units. They are counted in 32 bits: more keys
/// than that no memory holds.
struct DecodeShare {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// What walks over heads: a warp's lanes together (attention_decode.cu), or one alone. Every lane hands in its number
/// and gets the sum of all, or of those up to its own; the first lane that says yes, or `count`; what one lane has.
struct OneLane {
  static constexpr std::int32_t count = 1;

  [[nodiscard]] static std::int32_t own() { return 0; }
  [[nodiscard]] static std::int32_t sum(std::int32_t number) { return number; }
  [[nodiscard]] static std::int32_t sum_up_to(std::int32_t number) { return number; }
  [[nodiscard]] static std::int32_t first(bool says_yes) { return says_yes ? 0 : count; }
  [[nodiscard]] static std::int32_t of(std::int32_t number, std::int32_t) { return number; }
};

/// What is divided: a unit is a KV head and up to decode_rows query heads of its group. Shares are cut from lengths
/// that stand in device memory, by whoever works on them.
struct DecodeUnits {
  const KvHeadState* heads = nullptr;  ///< [kv_heads] of the layer
  std::int32_t count = 0;              ///< kv_heads · row_tiles
  std::int32_t row_tiles = 1;          ///< of a group
  std::int32_t tile = 0;               ///< keys of a tile
  std::int32_t workers = 0;            ///< who can take a share

  /// Tiles of all units, and of those before one of them.
  struct Tiles {
    std::int32_t total;
    std::int32_t before;
  };
  /// A unit, and the tiles before it.
  struct Place {
    std::int32_t unit;
    std::int32_t before;
  };

  [[nodiscard]] NATSCOPE_HD std::int32_t tiles(std::int32_t unit) const { return tiles_of_head(unit / row_tiles); }
  template <class Lanes>
  [[nodiscard]] NATSCOPE_HD Tiles tiles_before(const Lanes& lanes, std::int32_t unit) const {
    const std::int32_t whole = unit / row_tiles;
    const std::int32_t rest = unit - whole * row_tiles;
    std::int32_t total = 0;
    std::int32_t before = 0;
    // Every share begins here: loads of all heads overlap.
    NATSCOPE_UNROLL_BY(4)
    for (std::int32_t head = lanes.own(); head < count / row_tiles; head += Lanes::count) {
      const std::int32_t here = tiles_of_head(head);
      total += row_tiles * here;
      before += head < whole ? row_tiles * here : head == whole ? rest * here : 0;
    }
    return {lanes.sum(total), lanes.sum(before)};
  }
  /// Whose unit a tile is; `count` behind the last one.
  template <class Lanes>
  [[nodiscard]] NATSCOPE_HD Place place_of(const Lanes& lanes, std::int32_t tile_index) const {
    const std::int32_t all = count / row_tiles;
    std::int32_t before = 0;
    for (std::int32_t begin = 0; begin < all; begin += Lanes::count) {
      const std::int32_t head = begin + lanes.own();
      const std::int32_t here = head < all ? tiles_of_head(head) : 0;
      const std::int32_t up_to = before + lanes.sum_up_to(row_tiles * here);
      const std::int32_t found = lanes.first(up_to > tile_index);
      if (found < Lanes::count) {
        const std::int32_t each = lanes.of(here, found);
        const std::int32_t before_head = lanes.of(up_to, found) - row_tiles * each;
        const std::int32_t skipped = row_tiles == 1 ? 0 : (tile_index - before_head) / each;
        return {(begin + found) * row_tiles + skipped, before_head + skipped * each};
      }
      before = lanes.of(up_to, Lanes::count - 1);
    }
    return {count, before};
  }
  /// Shares of `total` tiles: never one without a tile.
  [[nodiscard]] NATSCOPE_HD std::int32_t shares(std::int32_t total) const {
    const std::int32_t wanted = (total + least_decode_tiles - 1) / least_decode_tiles;
    return wanted < workers ? wanted : workers;
  }
  /// Of all shares the first ones have one tile more, where they do not come out even.
  [[nodiscard]] NATSCOPE_HD DecodeShare share(std::int32_t worker, std::int32_t total) const {
    const std::int32_t all = shares(total);
    if (worker >= all) return {};
    const std::int32_t each = total / all;
    const std::int32_t longer = total - each * all;
    const std::int32_t begin = worker * each + (worker < longer ? worker : longer);
    return {begin, begin + each + (worker < longer ? 1 : 0)};
  }
  /// Whose share a tile is in.
  [[nodiscard]] NATSCOPE_HD std::int32_t worker_of(std::int32_t tile_index, std::int32_t total) const {
    const std::int32_t all = shares(total);
    const std::int32_t each = total / all;
    const std::int32_t longer = total - each * all;
    const std::int32_t in_longer = longer * (each + 1);
    return tile_index < in_longer ? tile_index / (each + 1) : longer + (tile_index - in_longer) / each;
  }
  /// Where a worker leaves what it found of a unit. From one piece of work to the next the worker or the unit grows, so
  /// no two have the same place, and those of a unit stand side by side.
  [[nodiscard]] NATSCOPE_HD static std::int32_t partial(std::int32_t worker, std::int32_t unit) {
    return worker + unit;
  }
  [[nodiscard]] NATSCOPE_HD std::int64_t partials() const { return static_cast<std::int64_t>(workers) + count; }

 private:
  /// A tile has 16 or 32 keys (decode_tile).
  [[nodiscard]] NATSCOPE_HD std::int32_t tiles_of_head(std::int32_t head) const {
    const auto keys = static_cast<std::uint32_t>(tile);
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(heads[head].entries()) + keys - 1) >>
                                     (keys == 32 ? 5U : 4U));
  }
};

/// What workers leave: sums of weighted values relative to the largest score, that score, and the sum of weights.
struct DecodePartials {
  float* sums = nullptr;     ///< [partials, rows, dim]
  float* largest = nullptr;  ///< [partials, rows]
  float* total = nullptr;    ///< [partials, rows]
  std::int32_t rows = 0;     ///< min(group, decode_rows)
  std::int32_t dim = 0;
  std::int64_t used_bytes = 0;

  /// Divides what begins at `base`; without a base it only counts.
  DecodePartials(const DecodeUnits& units, std::int64_t group, std::int32_t tile_dim, void* base)
      : rows(static_cast<std::int32_t>(group < decode_rows ? group : decode_rows)), dim(tile_dim) {
    const auto take = [&](std::int64_t floats) {
      float* const piece = base == nullptr ? nullptr : static_cast<float*>(base) + used_bytes / 4;
      used_bytes += (floats * 4 + 255) / 256 * 256;
      return piece;
    };
    sums = take(units.partials() * rows * dim);
    largest = take(units.partials() * rows);
    total = take(units.partials() * rows);
  }
};

/// How the softmax of a query head came out: the largest score, the sum of weights relative to it, and the new token's
/// own part of that sum.
struct DecodeSoftmax {
  float largest;
  float total;
  float self;

  /// A score's weight, the same as in the head's output.
  [[nodiscard]] NATSCOPE_HD float weight(float score, float scale_log2) const {
    return exp2f((score - largest) * scale_log2) / total;
  }
};

/// What a decode over a cache with scores (H2O) leaves for them: once all weights are known they are added up by entry.
struct DecodeScores {
  float* raw = nullptr;              ///< [heads, stride]: query · key, by slot; null: no scores are kept
  DecodeSoftmax* softmax = nullptr;  ///< [heads]
  std::int32_t group = 1;
  std::int64_t stride = 0;
  std::int64_t used_bytes = 0;

  DecodeScores() = default;
  /// Divides what begins at `base`; without a base it only counts. `most_entries` 0: no scores are kept.
  DecodeScores(std::int64_t heads, std::int64_t kv_heads, std::int64_t most_entries, void* base)
      : group(static_cast<std::int32_t>(heads / kv_heads)), stride(most_entries) {
    if (most_entries == 0) return;
    const std::int64_t raw_bytes = (heads * stride * 4 + 255) / 256 * 256;
    used_bytes = raw_bytes + heads * static_cast<std::int64_t>(sizeof(DecodeSoftmax));
    if (base == nullptr) return;
    raw = static_cast<float*>(base);
    softmax = reinterpret_cast<DecodeSoftmax*>(static_cast<char*>(base) + raw_bytes);
  }

  /// A tile's scores to where they belong; rows of a unit that no query head has, and columns behind the last entry,
  /// are nobody's.
  NATSCOPE_HD void keep(std::int32_t unit, std::int32_t row_tiles, std::int32_t row, std::int32_t slot,
                        std::int32_t entries, float score) const {
    const std::int32_t of_group = unit % row_tiles * decode_rows + row;
    if (of_group >= group || slot >= entries) return;
    raw[(static_cast<std::int64_t>(unit / row_tiles) * group + of_group) * stride + slot] = score;
  }
  /// An entry's score grows by the weights that the heads of its group put on it, head by head.
  NATSCOPE_HD void add_to(const KvHeadPages& head, std::int32_t kv_head, std::int32_t slot, float scale_log2) const {
    float sum = head.scores[slot];
    for (std::int64_t query = std::int64_t{kv_head} * group; query < (std::int64_t{kv_head} + 1) * group; ++query)
      sum += softmax[query].weight(raw[query * stride + slot], scale_log2);
    head.scores[slot] = sum;
  }
  /// What the new token has put on itself.
  [[nodiscard]] NATSCOPE_HD float of_token(std::int32_t kv_head) const {
    float sum = 0;
    for (std::int32_t index = 0; index < group; ++index) {
      const DecodeSoftmax& head = softmax[static_cast<std::int64_t>(kv_head) * group + index];
      sum += head.self / head.total;
    }
    return sum;
  }
};

/// One worker's share. `keeps`: scores are. A `Warp` has decode_rows rows of queries and `units.tile` columns of keys:
/// start(unit), fetch(tile, stage) and, once the first tiles are on their way, fetch_queries() bring them, as in
/// train_loops.h; finish(partial) leaves what was found.
template <bool keeps, class Warp, class Lanes>
NATSCOPE_HD void decode_share(Warp& warp, const Lanes& lanes, const DecodeUnits& units, const DecodeScores& scores,
                              std::int32_t worker, float scale_log2) {
  const DecodeShare share = units.share(worker, units.tiles_before(lanes, 0).total);
  if (share.begin >= share.end) return;
  auto [unit, before] = units.place_of(lanes, share.begin);
  for (; unit < units.count && before < share.end; ++unit) {
    const std::int32_t tiles = units.tiles(unit);
    const std::int32_t first_tile = (share.begin > before ? share.begin : before) - before;
    const std::int32_t end = (share.end < before + tiles ? share.end : before + tiles) - before;
    before += tiles;
    if (first_tile >= end) continue;
    const std::int32_t entries = units.heads[unit / units.row_tiles].entries();
    const std::int32_t count = end - first_tile;
    const std::int32_t last_at_once = (count < warp.stages() ? count : warp.stages()) - 1;
    warp.start(unit);
    const auto fetch = [&](std::int32_t index, int stage) {
      warp.fetch(first_tile + index, stage);
      if (index == last_at_once) warp.fetch_queries();
    };
    through_stages(warp, count, fetch, [&](std::int32_t index, int stage) {
      const std::int32_t slot = (first_tile + index) * units.tile;
      warp.score(stage);
      if constexpr (keeps) {
        warp.each_score([&](std::int32_t row, std::int32_t column, const float& score) {
          scores.keep(unit, units.row_tiles, row, slot + column, entries, score);
        });
      }
      if (slot + units.tile > entries) {
        warp.each_score([&](std::int32_t, std::int32_t column, float& score) {
          if (slot + column >= entries) score = -INFINITY;
        });
      }
      warp.soften(scale_log2);
      warp.add_values(stage);
    });
    warp.finish(DecodeUnits::partial(worker, unit));
  }
}

/// One query head's inputs and outputs of a merge.
struct DecodeRow {
  const float* query = nullptr;       ///< [head_dim]
  const float* self_key = nullptr;    ///< [head_dim]
  const float* self_value = nullptr;  ///< [head_dim]
  float* out = nullptr;               ///< [head_dim]
  float* lse = nullptr;
  std::int32_t head_dim = 0;
  bool round = false;                ///< `out` to bf16
  DecodeSoftmax* softmax = nullptr;  ///< null where scores are not kept
};

/// Puts together what was found of one query head, the index-th of its group, and the new token itself. Partial sums
/// are added in an order that follows from their number alone, where they stand: they are used up. A `Team` is the
/// threads of a block: each(count, f) runs f(0 … count − 1); sum(count, f) and largest(count, f) give every thread the
/// sum, or the largest, of f(0 … count − 1); `Lanes` are those of each of its warps.
template <class Team, class Lanes>
NATSCOPE_HD void merge_decode(const Team& team, const Lanes& lanes, const DecodeUnits& units,
                              const DecodePartials& partials, std::int32_t kv_head, std::int32_t index,
                              const DecodeRow& row, float scale_log2) {
  const std::int32_t unit = kv_head * units.row_tiles + index / decode_rows;
  const auto [total_tiles, before] = units.tiles_before(lanes, unit);
  const std::int32_t tiles = units.tiles(unit);
  std::int32_t first = 0;
  std::int32_t count = 0;
  if (tiles > 0) {
    first = DecodeUnits::partial(units.worker_of(before, total_tiles), unit);
    count = DecodeUnits::partial(units.worker_of(before + tiles - 1, total_tiles), unit) - first + 1;
  }
  const auto at = [&](std::int32_t partial) {
    return static_cast<std::int64_t>(first + partial) * partials.rows + index % decode_rows;
  };

  const float self = team.sum(row.head_dim, [&](std::int32_t d) { return row.query[d] * row.self_key[d]; });
  const float found = team.largest(count, [&](std::int32_t partial) { return partials.largest[at(partial)]; });
  const float top = found > self ? found : self;
  const auto weight = [&](float score) { return exp2f((score - top) * scale_log2); };
  const float self_weight = weight(self);
  const float total = self_weight + team.sum(count, [&](std::int32_t partial) {
    return weight(partials.largest[at(partial)]) * partials.total[at(partial)];
  });
  // A full head among nearly empty ones has hundreds of partial sums: threads add up every merge_slices-th of them.
  const std::int32_t slices = count < merge_slices ? count : merge_slices;
  team.each(slices * row.head_dim, [&](std::int32_t number) {
    const std::int32_t slice = number / row.head_dim;
    const std::int32_t d = number % row.head_dim;
    float sum = 0;
    for (std::int32_t partial = slice; partial < count; partial += merge_slices) {
      sum += weight(partials.largest[at(partial)]) * partials.sums[at(partial) * partials.dim + d];
    }
    partials.sums[at(slice) * partials.dim + d] = sum;  // read by this thread alone until here
  });
  team.each(row.head_dim, [&](std::int32_t d) {
    float sum = self_weight * row.self_value[d];
    for (std::int32_t slice = 0; slice < slices; ++slice) sum += partials.sums[at(slice) * partials.dim + d];
    row.out[d] = row.round ? to_float(to_bf16(sum / total)) : sum / total;
    if (d > 0) return;
    *row.lse = top * (scale_log2 / log2_e) + logf(total);
    if (row.softmax != nullptr) *row.softmax = {top, total, self_weight};
  });
}

}  // namespace natscope::kernels::cuda
