// SPDX-License-Identifier: GPL-3.0-or-later
// Scores of many queries and one key at a time: compiled once for each instruction set (Highway's foreach_target).
#if defined(NATSCOPE_QUERY_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NATSCOPE_QUERY_LANES_INL_H
#undef NATSCOPE_QUERY_LANES_INL_H
#else
#define NATSCOPE_QUERY_LANES_INL_H
#endif

#include <hwy/highway.h>

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

/// Rows [count, head_dim], `stride` apart, to columns [head_dim, query_block]; queries that are not there are zero.
template <class Element>
HWY_INLINE void queries_across_lanes(const Element* rows, std::int64_t count, std::int64_t head_dim,
                                     std::int64_t stride, float* queries) {
  for (std::int64_t i = 0; i < head_dim; ++i) {
    float* const column = queries + i * query_block;
    for (std::int64_t q = 0; q < count; ++q) column[q] = to_f32(rows[q * stride + i]);
    for (std::int64_t q = count; q < query_block; ++q) column[q] = 0;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
