// SPDX-License-Identifier: GPL-3.0-or-later
// Scores of many queries and one key at a time: compiled once for each instruction set (Highway's foreach_target).
#if defined(NATSCOPE_QUERY_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NATSCOPE_QUERY_LANES_INL_H
#undef NATSCOPE_QUERY_LANES_INL_H
#else
#define NATSCOPE_QUERY_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/query_block.h"
#include "kernels/cpu/simd_rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

// Queries lie across the lanes: scores [key, query], sums [head_dim, query]. Keys and values are then read as scalars, row by
// row, straight from where they lie, and a query's maximum and sum need no look across lanes.

constexpr auto lanes = static_cast<std::int64_t>(f32_lanes);
constexpr int columns = query_block / lanes < 2 ? 1 : 2;  // vectors of queries at a time
constexpr int tile_rows =
    HWY_TARGET <= HWY_AVX3 ? 8 : 4;  // sums in flight that hide a multiply-add and fit the registers

/// scores[r, :] = scale · rows[r]·q for `rows` keys.
template <int rows>
HWY_INLINE void score_rows(const float* const* keys, std::int64_t head_dim, const float* HWY_RESTRICT queries,
                           float scale, float* HWY_RESTRICT scores) {
  const F32 d;
  const auto factor = hn::Set(d, scale);
  for (std::int64_t column = 0; column < query_block; column += columns * lanes) {
    F32Vec sum[rows][columns];
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) sum[r][c] = hn::Zero(d);
    }
    for (std::int64_t i = 0; i < head_dim; ++i) {
      F32Vec query[columns];
      for (int c = 0; c < columns; ++c) query[c] = hn::Load(d, queries + i * query_block + column + c * lanes);
      for (int r = 0; r < rows; ++r) {
        const auto key = hn::Set(d, keys[r][i]);
        for (int c = 0; c < columns; ++c) sum[r][c] = hn::MulAdd(key, query[c], sum[r][c]);
      }
    }
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < columns; ++c) {
        hn::Store(hn::Mul(sum[r][c], factor), d, scores + r * query_block + column + c * lanes);
      }
    }
  }
}

/// All rows' scores, a tile of rows at a time.
HWY_INLINE void score_all(const float* const* keys, std::int64_t count, std::int64_t head_dim, const float* queries,
                          float scale, float* scores) {
  std::int64_t key = 0;
  for (; key + tile_rows <= count; key += tile_rows) {
    score_rows<tile_rows>(keys + key, head_dim, queries, scale, scores + key * query_block);
  }
  for (; key < count; ++key) score_rows<1>(keys + key, head_dim, queries, scale, scores + key * query_block);
}

/// A row as f32: where it lies if it is, converted into `room` otherwise.
HWY_INLINE const float* f32_row(const void* row, bool is_f32, std::int64_t head_dim, float* room) {
  if (is_f32) return static_cast<const float*>(row);
  const auto* stored = static_cast<const Bf16*>(row);
  std::int64_t i = 0;
  for (; i + lanes <= head_dim; i += lanes) hn::StoreU(load_row(stored + i), F32(), room + i);
  for (; i < head_dim; ++i) room[i] = to_float(stored[i]);
  return room;
}

/// to[c, r] = from[r, c]; rows of `from` and `to` are from_stride and to_stride apart.
HWY_INLINE void transpose(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t cols, float* to,
                          std::int64_t to_stride) {
  std::int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Simd<float, 4, 0> d;
  const hn::Repartition<double, decltype(d)> pairs;
  for (; r + 4 <= rows; r += 4) {
    const float* const row = from + r * from_stride;
    std::int64_t c = 0;
    for (; c + 4 <= cols; c += 4) {
      const auto r0 = hn::LoadU(d, row + c);
      const auto r1 = hn::LoadU(d, row + from_stride + c);
      const auto r2 = hn::LoadU(d, row + 2 * from_stride + c);
      const auto r3 = hn::LoadU(d, row + 3 * from_stride + c);
      const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
      const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
      const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
      const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
      float* const column = to + c * to_stride + r;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, column);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, column + to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, column + 2 * to_stride);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, column + 3 * to_stride);
    }
    for (; c < cols; ++c) {
      for (std::int64_t of = 0; of < 4; ++of) to[c * to_stride + r + of] = row[of * from_stride + c];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

/// Rows [count, head_dim], `stride` apart, to columns [head_dim, query_block]; queries that are not there are zero.
HWY_INLINE void queries_across_lanes(const float* rows, std::int64_t count, std::int64_t head_dim, std::int64_t stride,
                                     float* queries) {
  if (count < query_block) std::fill_n(queries, head_dim * query_block, 0.0F);
  transpose(rows, stride, count, head_dim, queries, query_block);
}
HWY_INLINE void queries_across_lanes(const Bf16* rows, std::int64_t count, std::int64_t head_dim, std::int64_t stride,
                                     float* queries) {
  if (count < query_block) std::fill_n(queries, head_dim * query_block, 0.0F);
  for (std::int64_t q = 0; q < count; ++q) {
    for (std::int64_t i = 0; i < head_dim; ++i) queries[i * query_block + q] = to_float(rows[q * stride + i]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
