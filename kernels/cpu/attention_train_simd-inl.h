// SPDX-License-Identifier: GPL-3.0-or-later
// Building blocks of the training attention, compiled once for each instruction set (Highway's foreach_target).
#if defined(NATSCOPE_ATTENTION_TRAIN_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NATSCOPE_ATTENTION_TRAIN_SIMD_INL_H
#undef NATSCOPE_ATTENTION_TRAIN_SIMD_INL_H
#else
#define NATSCOPE_ATTENTION_TRAIN_SIMD_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/attention_train_scratch.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Whole vectors of at most 16 lanes: rows are padded to 16 floats.
using TrainTag = hn::CappedTag<float, 16>;
using TrainIntTag = hn::RebindToSigned<TrainTag>;
using TrainVec = hn::Vec<TrainTag>;

/// 2^x for x ≤ 0, and 0 below 2^-100: nothing next to the weights it is added to, and products with it would become
/// denormal and slow. Relative error about 1e-7; NaN stays NaN.
HWY_INLINE TrainVec exp2_of_negative(TrainVec x) {
  const TrainTag d;
  const TrainIntTag di;
  const auto vanishes = hn::Lt(x, hn::Set(d, -100.0F));
  const auto shifter =
      hn::Set(d, 12582912.0F);  // 1.5 · 2^23: adding it rounds to whole numbers, which then stand in the low bits
  const auto shifted = hn::Add(x, shifter);
  const auto f = hn::Sub(x, hn::Sub(shifted, shifter));
  auto p = hn::Set(d, 1.535336188319500e-4F);
  p = hn::MulAdd(p, f, hn::Set(d, 1.339887440266574e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 9.618437357674640e-3F));
  p = hn::MulAdd(p, f, hn::Set(d, 5.550332471162809e-2F));
  p = hn::MulAdd(p, f, hn::Set(d, 2.402264791363012e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 6.931472028550421e-1F));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0F));
  return hn::IfThenZeroElse(vanishes,
                            hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(hn::BitCast(di, shifted)))));
}

/// c[r][j] (+)= Σ_k a[r · a_row + k · a_step] · b[k · b_row + j] for `rows` × `columns` vectors kept in registers.
template <int rows, int columns, bool accumulate>
HWY_INLINE void product_tile(const float* HWY_RESTRICT a, std::int64_t a_row, std::int64_t a_step,
                             const float* HWY_RESTRICT b, std::int64_t b_row, std::int64_t depth, float* HWY_RESTRICT c,
                             std::int64_t c_row) {
  const TrainTag d;
  constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(TrainTag()));
  TrainVec sum[rows][columns];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) sum[r][j] = accumulate ? hn::LoadU(d, c + r * c_row + j * lanes) : hn::Zero(d);
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    TrainVec right[columns];
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) right[j] = hn::LoadU(d, b + k * b_row + j * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const TrainVec left = hn::Set(d, a[r * a_row + k * a_step]);
#pragma GCC unroll 4
      for (int j = 0; j < columns; ++j) sum[r][j] = hn::MulAdd(left, right[j], sum[r][j]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < columns; ++j) hn::StoreU(sum[r][j], d, c + r * c_row + j * lanes);
  }
}

/// Rows of a tile: enough sums in flight to hide a multiply-add's latency, few enough to stay in registers.
template <int columns>
inline constexpr int tile_rows = HWY_TARGET <= HWY_AVX3 ? (columns >= 4 ? 4 : 8) : (columns >= 2 ? 4 : 8);

template <int columns, bool accumulate>
HWY_INLINE void product_panel(const float* a, std::int64_t a_row, std::int64_t a_step, const float* b,
                              std::int64_t b_row, std::int64_t depth, float* c, std::int64_t c_row, std::int64_t rows) {
  for (std::int64_t r = 0; r < rows; r += tile_rows<columns>) {
    product_tile<tile_rows<columns>, columns, accumulate>(a + r * a_row, a_row, a_step, b, b_row, depth, c + r * c_row,
                                                          c_row);
  }
}

/// Matrix product c (+)= a · b, any strides of a. `rows` rounded up to 8 and `width` a multiple of 16 must be there in
/// a and c.
template <bool accumulate>
void product(const float* a, std::int64_t a_row, std::int64_t a_step, const float* b, std::int64_t b_row,
             std::int64_t depth, float* c, std::int64_t c_row, std::int64_t rows, std::int64_t width) {
  constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(TrainTag()));
  constexpr int widest = HWY_TARGET <= HWY_AVX3 ? 4 : 2;
  std::int64_t j = 0;
  for (; j + widest * lanes <= width; j += widest * lanes) {
    product_panel<widest, accumulate>(a, a_row, a_step, b + j, b_row, depth, c + j, c_row, rows);
  }
  const std::int64_t left = (width - j) / lanes;
  if (left == 3) product_panel<3, accumulate>(a, a_row, a_step, b + j, b_row, depth, c + j, c_row, rows);
  if (left == 2) product_panel<2, accumulate>(a, a_row, a_step, b + j, b_row, depth, c + j, c_row, rows);
  if (left == 1) product_panel<1, accumulate>(a, a_row, a_step, b + j, b_row, depth, c + j, c_row, rows);
}

/// One row of the caller's array into a padded one, rounded to bf16 when products take bf16.
HWY_INLINE void pack_row(const float* HWY_RESTRICT from, std::int64_t head_dim, std::int64_t padded_dim,
                         ElementType dtype, float* HWY_RESTRICT to) {
  if (dtype == ElementType::bf16) {
    for (std::int64_t i = 0; i < head_dim; ++i) to[i] = to_float(to_bf16(from[i]));
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(head_dim) * sizeof(float));
  }
  std::fill(to + head_dim, to + padded_dim, 0.0F);
}

/// rows [train_block, padded_dim] to columns [padded_dim, train_block].
HWY_INLINE void transpose_block(const float* HWY_RESTRICT rows, std::int64_t padded_dim, float* HWY_RESTRICT columns) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t m = 0; m < train_block; ++m) {
    for (std::int64_t i = 0; i < padded_dim; ++i) columns[i * train_block + m] = rows[m * padded_dim + i];
  }
#else
  const hn::Simd<float, 4, 0> d;
  const hn::Repartition<double, decltype(d)> dd;
  for (std::int64_t m = 0; m < train_block; m += 4) {
    const float* const row = rows + m * padded_dim;
    for (std::int64_t i = 0; i < padded_dim; i += 4) {
      const auto r0 = hn::LoadU(d, row + i);
      const auto r1 = hn::LoadU(d, row + padded_dim + i);
      const auto r2 = hn::LoadU(d, row + 2 * padded_dim + i);
      const auto r3 = hn::LoadU(d, row + 3 * padded_dim + i);
      const auto low01 = hn::BitCast(dd, hn::InterleaveLower(d, r0, r1));
      const auto low23 = hn::BitCast(dd, hn::InterleaveLower(d, r2, r3));
      const auto high01 = hn::BitCast(dd, hn::InterleaveUpper(d, r0, r1));
      const auto high23 = hn::BitCast(dd, hn::InterleaveUpper(d, r2, r3));
      float* const to = columns + i * train_block + m;
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dd, low01, low23)), d, to);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dd, low01, low23)), d, to + train_block);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(dd, high01, high23)), d, to + 2 * train_block);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(dd, high01, high23)), d, to + 3 * train_block);
    }
  }
#endif
}

/// Rows [begin, begin + train_block) of a head, padded with zero rows past the end.
template <class View4>
HWY_INLINE void pack_block(const View4& array, std::int64_t batch, std::int64_t head, std::int64_t begin,
                           const TrainShape& shape, ElementType dtype, float* to) {
  for (std::int64_t m = 0; m < train_block; ++m) {
    float* const row = to + m * shape.padded_dim;
    if (begin + m < shape.length) {
      pack_row(&array(batch, head, begin + m, 0), shape.head_dim, shape.padded_dim, dtype, row);
    } else {
      std::fill(row, row + shape.padded_dim, 0.0F);
    }
  }
}

/// Keys or values of a KV head in the order of `order`.
template <class View4>
HWY_INLINE void pack_ordered(const View4& array, std::int64_t batch, std::int64_t kv_head, const KeyOrder& order,
                             const TrainShape& shape, ElementType dtype, float* to) {
  for (std::int64_t place = 0; place < shape.padded_length; ++place) {
    float* const row = to + place * shape.padded_dim;
    if (order.last[place] >= 0) {
      pack_row(&array(batch, kv_head, order.position[place], 0), shape.head_dim, shape.padded_dim, dtype, row);
    } else {
      std::fill(row, row + shape.padded_dim, 0.0F);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
