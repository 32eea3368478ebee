// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/host_device.h"

/// Which pairs a cell of a map stands for and which of them count: the loops of kernels/cuda's tiles and statistics,
/// for the device and for the CPU test that holds them to `ref`.
///
/// A Block holds the weights of map_side × map_side pairs: weigh(m, n) computes those of queries m … and keys n …,
/// each_weight(f) calls f(i, j, log_weight) for those that this thread holds.
namespace natscope::kernels::cuda {

inline constexpr std::int32_t map_side = 64;

/// Rows of the store in device memory; bf16 or f32.
struct MapArrays {
  const void* queries = nullptr;
  const void* keys = nullptr;
  std::int64_t query_stride = 0;
  std::int64_t key_stride = 0;
  const float* lse = nullptr;
  const std::int32_t* last_query = nullptr;
  std::int64_t tokens = 0;
  std::int32_t head_dim = 0;
};

[[nodiscard]] NATSCOPE_HD inline std::int64_t at_most(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
[[nodiscard]] NATSCOPE_HD inline std::int64_t at_least(std::int64_t a, std::int64_t b) { return a > b ? a : b; }

/// Whether query m sees key n (kernels/attention_tile.h).
[[nodiscard]] NATSCOPE_HD inline bool map_sees(const MapArrays& map, std::int64_t m, std::int64_t n) {
  return m < map.tokens && (n == m || (n < m && m <= map.last_query[n]));
}

/// Pairs with key ≤ query of queries m0 … m1 − 1 and keys n0 … n1 − 1.
[[nodiscard]] NATSCOPE_HD inline std::int64_t map_causal_pairs(std::int64_t m0, std::int64_t m1, std::int64_t n0,
                                                               std::int64_t n1) {
  if (n0 >= n1) return 0;
  const std::int64_t first = at_least(m0, n0);         // before it no key of the cell has come yet
  const std::int64_t whole = at_least(first, n1 - 1);  // from it on every key has
  const std::int64_t stair = at_least(0, at_most(whole, m1) - first);
  const std::int64_t full = at_least(0, m1 - whole);
  return stair * (first + 1 - n0) + stair * (stair - 1) / 2 + full * (n1 - n0);
}

/// What a cell shows, before it is divided. Its numbers are those of up to 64 × 64 pairs a thread at a time: a cell may
/// stand for more pairs than an f32 can count.
struct CellSums {
  float largest = 0;
  double sum = 0;
  std::int64_t seen = 0;

  NATSCOPE_HD void join(const CellSums& other) {
    largest = fmaxf(largest, other.largest);
    sum += other.sum;
    seen += other.seen;
  }
};

/// The pairs of one square that count, of one thread or of one small cell.
struct SquareSums {
  float largest = 0;
  float sum = 0;
  std::int32_t seen = 0;

  NATSCOPE_HD void add(float weight) {
    largest = fmaxf(largest, weight);
    sum += weight;
    ++seen;
  }
  [[nodiscard]] NATSCOPE_HD CellSums cell() const { return {largest, static_cast<double>(sum), seen}; }
};

/// The cells of a tile and how blocks share them: one block takes `step()` queries and keys, which is one large cell or
/// several small ones.
struct MapCells {
  std::int64_t first_query = 0;
  std::int64_t first_key = 0;
  std::int32_t zoom = 0;
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  [[nodiscard]] NATSCOPE_HD std::int64_t side() const { return std::int64_t{1} << zoom; }
  [[nodiscard]] NATSCOPE_HD std::int64_t step() const { return at_least(side(), map_side); }
  /// Cells of a block along one axis.
  [[nodiscard]] NATSCOPE_HD std::int64_t across() const { return step() / side(); }
  [[nodiscard]] NATSCOPE_HD std::int64_t row_blocks() const { return (rows + across() - 1) / across(); }
  [[nodiscard]] NATSCOPE_HD std::int64_t col_blocks() const { return (cols + across() - 1) / across(); }
};

/// One cell's numbers to `write`(row, col, maximum, mean, visible_share).
template <class Write>
NATSCOPE_HD void write_map_cell(const MapCells& cells, std::int64_t tokens, std::int64_t row, std::int64_t col,
                                const CellSums& sums, const Write& write) {
  const std::int64_t query = at_most(cells.first_query + row * cells.side(), tokens);
  const std::int64_t key = at_most(cells.first_key + col * cells.side(), tokens);
  const std::int64_t pairs =
      map_causal_pairs(query, at_most(query + cells.side(), tokens), key, at_most(key + cells.side(), tokens));
  const auto seen = static_cast<double>(sums.seen);
  write(row, col, sums.largest, seen > 0 ? static_cast<float>(sums.sum / seen) : 0.0F,
        pairs > 0 ? static_cast<float>(seen / static_cast<double>(pairs)) : 0.0F);
}

/// The cells of one block. Large cells: every thread adds what it holds over all squares of pairs, and block.join(sums)
/// adds the threads up in a fixed order. Small ones: there is one square, and block.each_cell(count, f) shares the
/// cells among threads, to whom block.log_weight(i, j) gives any pair.
template <class Block, class Write>
NATSCOPE_HD void map_cells_block(Block& block, const MapArrays& map, const MapCells& cells, std::int64_t down,
                                 std::int64_t right, const Write& write) {
  const std::int64_t query_begin = cells.first_query + down * cells.step();
  const std::int64_t key_begin = cells.first_key + right * cells.step();
  const std::int64_t query_end = at_most(query_begin + cells.step(), map.tokens);
  const std::int64_t key_end = at_most(key_begin + cells.step(), map.tokens);
  const auto counts = [&](std::int64_t m, std::int64_t n) {
    return m < query_end && n < key_end && map_sees(map, m, n);
  };

  if (cells.side() >= map_side) {
    CellSums sums;
    for (std::int64_t m = query_begin; m < query_end; m += map_side) {
      for (std::int64_t n = key_begin; n < at_most(key_end, m + map_side); n += map_side) {
        if (!block.any_seen(m, n)) continue;
        block.weigh(m, n);
        SquareSums square;
        block.each_weight([&](std::int32_t i, std::int32_t j, float log_weight) {
          if (counts(m + i, n + j)) square.add(expf(log_weight));
        });
        sums.join(square.cell());
        block.leave();
      }
    }
    block.join(sums, [&](const CellSums& all) { write_map_cell(cells, map.tokens, down, right, all, write); });
    return;
  }
  const bool any = query_begin < query_end && key_begin < key_end && block.any_seen(query_begin, key_begin);
  if (any) block.weigh(query_begin, key_begin);
  const std::int64_t across = cells.across();
  const auto side = static_cast<std::int32_t>(cells.side());
  block.each_cell(static_cast<std::int32_t>(across * across), [&](std::int32_t index) {
    const std::int64_t row = down * across + index / across;
    const std::int64_t col = right * across + index % across;
    if (row >= cells.rows || col >= cells.cols) return;
    SquareSums sums;
    const auto i0 = static_cast<std::int32_t>(index / across) * side;
    const auto j0 = static_cast<std::int32_t>(index % across) * side;
    for (std::int32_t i = i0; any && i < i0 + side; ++i) {
      for (std::int32_t j = j0; j < j0 + side; ++j) {
        if (counts(query_begin + i, key_begin + j)) sums.add(expf(block.log_weight(i, j)));
      }
    }
    write_map_cell(cells, map.tokens, row, col, sums.cell(), write);
  });
}

/// What a row of a map shows.
struct RowStatistics {
  float entropy = 0;
  float sink_weight = 0;
  float self_weight = 0;
  float distance = 0;
  float lost = 0;
};

/// Statistics of the rows first … end − 1 (at most map_side): block.add_row(i, …) adds what this thread holds of row i,
/// and block.each_row(f) gives f(i, statistics) once a row. `other_last_query` null: nothing is lost.
template <class Block, class Write>
NATSCOPE_HD void map_rows_block(Block& block, const MapArrays& map, const std::int32_t* other_last_query,
                                std::int64_t first, std::int64_t end, const Write& write) {
  for (std::int64_t n = 0; n < end; n += map_side) {
    if (!block.any_seen(first, n)) continue;
    block.weigh(first, n);
    block.each_weight([&](std::int32_t i, std::int32_t j, float log_weight) {
      const std::int64_t query = first + i;
      const std::int64_t key = n + j;
      if (query >= end || !map_sees(map, query, key)) return;
      const float weight = expf(log_weight);
      RowStatistics added;
      added.entropy = weight > 0 ? -weight * log_weight : 0.0F;
      added.sink_weight = key == 0 ? weight : 0.0F;
      added.self_weight = key == query ? weight : 0.0F;
      added.distance = weight * static_cast<float>(query - key);
      const bool is_gone = other_last_query != nullptr && key < query && other_last_query[key] < query;
      added.lost = is_gone ? weight : 0.0F;
      block.add_row(i, added);
    });
    block.leave();
  }
  block.each_row([&](std::int32_t i, const RowStatistics& row) {
    if (first + i < end) write(first + i, row);
  });
}

}  // namespace natscope::kernels::cuda
