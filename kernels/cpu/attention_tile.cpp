// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_tile.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/shared_work.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_tile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/attention_map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// Per column of cells and lane: largest weight, sum and number of the visible pairs. [cols, 3, query_block]
HWY_INLINE float* cell_part(float* cells, std::int64_t col, std::int64_t part) {
  return cells + (col * 3 + part) * query_block;
}

/// Adds neighbouring keys of one column of cells.
HWY_INLINE void add_to_column(const MapBlock& block, const std::int64_t* keys, const float* log_weights,
                              std::int64_t count, float* cells, std::int64_t col) {
  const F32 d;
  for (std::int64_t column = 0; column < query_block; column += lanes) {
    float* const largest_at = cell_part(cells, col, 0) + column;
    float* const sum_at = cell_part(cells, col, 1) + column;
    float* const seen_at = cell_part(cells, col, 2) + column;
    auto largest = hn::Load(d, largest_at);
    auto sum = hn::Zero(d);
    auto seen = hn::Zero(d);
    for (std::int64_t key = 0; key < count; ++key) {
      const auto mask = block.sees(keys[key], column);
      const auto weight = hn::IfThenElseZero(mask, exp_of(hn::Load(d, log_weights + key * query_block + column)));
      largest = hn::Max(largest, weight);
      sum = hn::Add(sum, weight);
      seen = hn::Add(seen, hn::IfThenElseZero(mask, hn::Set(d, 1.0F)));
    }
    hn::Store(largest, d, largest_at);
    hn::Store(hn::Add(hn::Load(d, sum_at), sum), d, sum_at);
    hn::Store(hn::Add(hn::Load(d, seen_at), seen), d, seen_at);
  }
}

void add_map_rows(const AttentionMapSource& source, const MapRows& rows, std::int64_t first_key, std::int64_t end_key,
                  int zoom, float* room, float* cells) {
  MapBlock block(source, rows, room);
  std::int64_t keys[key_block];
  for (std::int64_t from = first_key;;) {
    const std::int64_t count = next_seen_keys(source, rows, from, end_key, keys);
    if (count == 0) break;
    const float* const log_weights = block.log_weights(keys, count);
    for (std::int64_t begin = 0; begin < count;) {
      const std::int64_t col = (keys[begin] - first_key) >> zoom;
      std::int64_t end = begin + 1;
      while (end < count && (keys[end] - first_key) >> zoom == col) ++end;
      add_to_column(block, keys + begin, log_weights + begin * query_block, end - begin, cells, col);
      begin = end;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(add_map_rows);

namespace {

/// Pairs with key ≤ query of queries [m0, m1) and keys [n0, n1).
std::int64_t causal_pairs(std::int64_t m0, std::int64_t m1, std::int64_t n0, std::int64_t n1) {
  if (n0 >= n1) return 0;
  const std::int64_t first = std::max(m0, n0);         // before it no key of the cell has come yet
  const std::int64_t whole = std::max(first, n1 - 1);  // from it on every key has
  const std::int64_t stair = std::max<std::int64_t>(0, std::min(whole, m1) - first);
  const std::int64_t full = std::max<std::int64_t>(0, m1 - whole);
  return stair * (first + 1 - n0) + stair * (stair - 1) / 2 + full * (n1 - n0);
}

struct TileOutput {
  TokenPos first_query;
  TokenPos first_key;
  int zoom;
  std::int64_t tokens;
  View<float, 2> maximum;
  View<float, 2> mean;
  View<float, 2> visible_share;
};

/// What a column of cells had in it up to here.
struct ColumnTotal {
  double sum = 0;
  double seen = 0;
};

/// Puts the sums of one column's lanes aside and begins them anew: of a large cell a float would lose what is added.
void put_aside(float* cells, std::int64_t j, ColumnTotal& total) {
  for (std::int64_t lane = 0; lane < query_block; ++lane) {
    total.sum += static_cast<double>(std::exchange(cells[(j * 3 + 1) * query_block + lane], 0.0F));
    total.seen += static_cast<double>(std::exchange(cells[(j * 3 + 2) * query_block + lane], 0.0F));
  }
}

/// One cell from the lanes that belong to its row, and what was put aside of it.
void write_cell(const TileOutput& tile, std::int64_t i, std::int64_t j, const float* cells, std::int64_t lane,
                std::int64_t lane_count, const ColumnTotal& before) {
  double largest = 0;
  double sum = before.sum;
  double seen = before.seen;
  for (std::int64_t at = lane; at < lane + lane_count; ++at) {
    largest = std::max(largest, static_cast<double>(cells[j * 3 * query_block + at]));
    sum += static_cast<double>(cells[(j * 3 + 1) * query_block + at]);
    seen += static_cast<double>(cells[(j * 3 + 2) * query_block + at]);
  }
  const std::int64_t side = std::int64_t{1} << tile.zoom;
  const std::int64_t query = std::min(tile.first_query.value + i * side, tile.tokens);
  const std::int64_t key = std::min(tile.first_key.value + j * side, tile.tokens);
  const std::int64_t pairs =
      causal_pairs(query, std::min(query + side, tile.tokens), key, std::min(key + side, tile.tokens));
  tile.maximum(i, j) = static_cast<float>(largest);
  tile.mean(i, j) = static_cast<float>(seen > 0 ? sum / seen : 0.0);
  tile.visible_share(i, j) = static_cast<float>(pairs > 0 ? seen / static_cast<double>(pairs) : 0.0);
}

}  // namespace

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  const TileOutput tile{first_query, first_key, zoom, source.queries.rows, maximum, mean, visible_share};
  const std::int64_t rows = maximum.size(0);
  const std::int64_t cols = maximum.size(1);
  if (rows <= 0 || cols <= 0) return {};
  const std::int64_t side = std::int64_t{1} << zoom;
  const std::int64_t end_key = std::min(tile.tokens, first_key.value + cols * side);
  // Up to query_block queries go together: several rows of cells at a low zoom, one row in several goes at a high one.
  const std::int64_t rows_together = std::max<std::int64_t>(1, query_block >> std::min(zoom, 30));
  const std::int64_t tasks = (rows + rows_together - 1) / rows_together;

  const std::int64_t room = map_room(source.queries.cols);
  const std::int64_t thread_floats = room + cols * 3 * query_block;
  const auto scratch = hwy::AllocateAligned<float>(static_cast<std::size_t>(thread_floats * max_threads()));
  if (scratch == nullptr) return {StatusCode::out_of_memory, "attention_tile"};
  const auto run = HWY_DYNAMIC_DISPATCH(add_map_rows);
  const double work = static_cast<double>(std::min(rows * side, tile.tokens)) *
                      static_cast<double>(std::max<std::int64_t>(1, end_key - first_key.value)) / 2;
  share_work(tasks, 1, work, [&](int thread, std::int64_t begin, std::int64_t end) {
    float* const own = scratch.get() + thread_floats * thread;
    float* const cells = own + room;
    std::vector<ColumnTotal> totals(static_cast<std::size_t>(cols));
    for (std::int64_t task = begin; task < end; ++task) {
      std::fill_n(cells, cols * 3 * query_block, 0.0F);
      const std::int64_t first_row = task * rows_together;
      const std::int64_t end_row = std::min(rows, first_row + rows_together);
      const std::int64_t end_query = std::min(tile.tokens, first_query.value + end_row * side);
      for (std::int64_t query = first_query.value + first_row * side; query < end_query; query += query_block) {
        run(source, {query, std::min(query_block, end_query - query)}, first_key.value, end_key, zoom, own, cells);
        if (side <= query_block) continue;  // the lanes are of several rows, or have few pairs in them
        for (std::int64_t j = 0; j < cols; ++j) put_aside(cells, j, totals[static_cast<std::size_t>(j)]);
      }
      const std::int64_t lane_count = std::min(side, query_block);
      for (std::int64_t i = first_row; i < end_row; ++i) {
        for (std::int64_t j = 0; j < cols; ++j) {
          write_cell(tile, i, j, cells, (i - first_row) * lane_count, lane_count,
                     std::exchange(totals[static_cast<std::size_t>(j)], {}));
        }
      }
    }
  });
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
