// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_bf16.h>
#include <cuda_pipeline_primitives.h>

#include <cstdint>

#include "kernels/cuda/tensor_instructions.cuh"
#include "kernels/cuda/tile_products.h"
#include "kernels/cuda/warpgroup_instructions.cuh"

/// tile_products.h with the hardware's instructions. bf16 tiles are multiplied by tensor cores, by a block's four warps
/// together where they can be; f32 tiles by multiply-adds in the same places, for whoever needs f32 to mean f32.
namespace natscope::kernels::cuda {

using Bf16Element = __nv_bfloat16;

/// Four numbers a thread of 16 rows × 8 columns: row, column; row, column + 1; row + 8, column; row + 8, column + 1.
using Fragment = float[4];

[[nodiscard]] __device__ inline int own_lane() { return static_cast<int>(threadIdx.x % 32); }
[[nodiscard]] __device__ inline int fragment_row(int slot) { return lane_row(own_lane(), slot); }
[[nodiscard]] __device__ inline int fragment_column(int tile, int which) {
  return lane_column(own_lane(), tile, which);
}

template <int count>
__device__ inline void clear(Fragment (&fragments)[count]) {
#pragma unroll
  for (int tile = 0; tile < count; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) fragments[tile][i] = 0.0F;
  }
}

/// Whether a block's four warps multiply tiles of this shape together (warpgroup_instructions.cuh).
template <class Shape>
inline constexpr bool by_warpgroup = false;
template <int dim>
inline constexpr bool by_warpgroup<TileShape<Bf16Element, dim>> = NATSCOPE_HAS_WARPGROUPS != 0 && dim <= 128;

/// Where the 16-byte piece of a row that begins with `column` stands in a tile.
template <class Shape>
[[nodiscard]] __device__ inline int place_of_piece(int row, int column) {
  if constexpr (by_warpgroup<Shape>) {
    const int piece = (column % panel_columns / 8) ^ (row % 8);
    return (column / panel_columns * Shape::rows + row) * panel_columns + piece * 8;
  } else {
    return row * Shape::stride + column;
  }
}

/// From one row of a tile to the row eight below, in elements: whatever the layout, a piece has the same place there.
template <class Shape>
inline constexpr int eight_rows = 8 * (by_warpgroup<Shape> ? panel_columns : Shape::stride);

/// Begins to copy `rows` packed rows of global memory into a tile; the caller commits and waits. A thread has the same
/// piece of rows that are as far apart in both, so that it finds an address once.
template <class Shape, class Element>
__device__ inline void fetch_tile_rows(Element* tile, const Element* packed) {
  constexpr int per_piece = 16 / static_cast<int>(sizeof(Element));
  constexpr int pieces = Shape::dim / per_piece;
  constexpr int rows_at_once = Shape::threads / pieces > 8 ? Shape::threads / pieces : 8;
  constexpr int threads = rows_at_once * pieces;  // that would do so; of fewer, each has several pieces of eight rows
#pragma unroll
  for (int other = 0; other < threads; other += Shape::threads) {
    const int index = static_cast<int>(threadIdx.x) + other;
    const int row = index / pieces;
    const int column = index % pieces * per_piece;
    Element* const to = tile + place_of_piece<Shape>(row, column);
    const Element* const from = packed + row * Shape::dim + column;
#pragma unroll
    for (int next = 0; next < Shape::rows; next += rows_at_once)
      __pipeline_memcpy_async(to + next / 8 * eight_rows<Shape>, from + next * Shape::dim, 16);
  }
}

/// One thread's part of the warp's instructions.
struct TensorCores {
  using Words = std::uint32_t[4];
  using Sums = Fragment;

  template <class Offset>
  __device__ void load(Words& to, const Bf16Element* from, const Offset& offset) const {
    load_matrices(to, from + offset(own_lane()));
  }
  template <class Offset>
  __device__ void load_transposed(Words& to, const Bf16Element* from, const Offset& offset) const {
    load_matrices_transposed(to, from + offset(own_lane()));
  }
  __device__ void multiply_add(Sums& sum, const Words& left, const Words& right, int first) const {
    multiply_add_bf16(sum, left, right[first], right[first + 1]);
  }
  __device__ void round(Words& to, const Sums& first, const Sums& second) const {
    to[0] = two_bf16(first[0], first[1]);
    to[1] = two_bf16(first[2], first[3]);
    to[2] = two_bf16(second[0], second[1]);
    to[3] = two_bf16(second[2], second[3]);
  }

 private:
  [[nodiscard]] __device__ static std::uint32_t two_bf16(float low, float high) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const std::uint32_t*>(&both);
  }
};

template <class Shape>
__device__ inline void rows_product(Fragment (&scores)[Shape::score_tiles], const Bf16Element* left,
                                    const Bf16Element* right, float*) {
  clear(scores);
  rows_product_steps<Shape>(TensorCores(), scores, left, right);
}

template <class Shape>
__device__ inline void columns_product(Fragment (&sums)[Shape::dim_tiles],
                                       const Fragment (&weights)[Shape::score_tiles], const Bf16Element* right,
                                       float*) {
  columns_product_steps<Shape>(TensorCores(), sums, weights, right);
}

template <class Shape>
__device__ inline void rows_product(Fragment (&scores)[Shape::score_tiles], const float* left, const float* right,
                                    float*) {
  clear(scores);
  const float* const upper = left + fragment_row(0) * Shape::stride;
  const float* const lower = left + fragment_row(1) * Shape::stride;
#pragma unroll 1
  for (int i = 0; i < Shape::dim; i += 4) {
    const float4 a0 = *reinterpret_cast<const float4*>(upper + i);
    const float4 a1 = *reinterpret_cast<const float4*>(lower + i);
#pragma unroll
    for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
      for (int which = 0; which < 2; ++which) {
        const float4 b = *reinterpret_cast<const float4*>(right + fragment_column(tile, which) * Shape::stride + i);
        float& first = scores[tile][which];
        float& second = scores[tile][2 + which];
        first = fmaf(a0.w, b.w, fmaf(a0.z, b.z, fmaf(a0.y, b.y, fmaf(a0.x, b.x, first))));
        second = fmaf(a1.w, b.w, fmaf(a1.z, b.z, fmaf(a1.y, b.y, fmaf(a1.x, b.x, second))));
      }
    }
  }
}

template <class Shape>
__device__ inline void columns_product(Fragment (&sums)[Shape::dim_tiles],
                                       const Fragment (&weights)[Shape::score_tiles], const float* right,
                                       float* exchange) {
  __syncwarp();
#pragma unroll
  for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      exchange[fragment_row(i / 2) * Shape::exchange_stride + fragment_column(tile, i % 2)] = weights[tile][i];
  }
  __syncwarp();
#pragma unroll 1
  for (int column = 0; column < Shape::rows; ++column) {
    const float upper = exchange[fragment_row(0) * Shape::exchange_stride + column];
    const float lower = exchange[fragment_row(1) * Shape::exchange_stride + column];
#pragma unroll
    for (int part = 0; part < Shape::dim_tiles; ++part) {
      const float2 b = *reinterpret_cast<const float2*>(right + column * Shape::stride + fragment_column(part, 0));
      sums[part][0] = fmaf(upper, b.x, sums[part][0]);
      sums[part][1] = fmaf(upper, b.y, sums[part][1]);
      sums[part][2] = fmaf(lower, b.x, sums[part][2]);
      sums[part][3] = fmaf(lower, b.y, sums[part][3]);
    }
  }
}

/// scores = left · rightᵀ of two tiles of a block; this warp has 16 rows of the scores.
template <class Shape, class Element>
struct RowsProduct {
  Fragment (&scores)[Shape::score_tiles];
  const Element* left;
  const Element* right;
};

/// sums += weights · right, where this warp has 16 rows of weights and of sums, and `right` is a tile.
template <class Shape, class Element>
struct ColumnsProduct {
  Fragment (&sums)[Shape::dim_tiles];
  const Fragment (&weights)[Shape::score_tiles];
  const Element* right;
};

#if NATSCOPE_HAS_WARPGROUPS

/// Begins the product; left and right must stay until end_products().
template <class Shape, class Element>
__device__ inline void put_product(const RowsProduct<Shape, Element>& product) {
  const std::uint64_t left = matrix_descriptor(product.left, 16);
  const std::uint64_t right = matrix_descriptor(product.right, 16);
#pragma unroll
  for (int column = 0; column < Shape::dim; column += 16) {
    const int at = column / panel_columns * Shape::rows * panel_columns + column % panel_columns;
    const auto bytes = at * static_cast<int>(sizeof(Element));
    multiply_rows(product.scores, moved(left, bytes), moved(right, bytes), column > 0);
  }
}

/// Weights of a warp as left operands, 16 columns each.
template <class Shape>
struct HeldWeights {
  TensorCores::Words words[Shape::score_tiles / 2];

  __device__ explicit HeldWeights(const Fragment (&weights)[Shape::score_tiles]) {
#pragma unroll
    for (int step = 0; step < Shape::score_tiles / 2; ++step)
      TensorCores().round(words[step], weights[2 * step], weights[2 * step + 1]);
  }
};

template <class Shape, class Element>
__device__ inline void put_product(const ColumnsProduct<Shape, Element>& product, const HeldWeights<Shape>& held) {
  constexpr int row_bytes = panel_columns * static_cast<int>(sizeof(Element));
  const std::uint64_t right = matrix_descriptor(product.right, Shape::rows * row_bytes);
#pragma unroll
  for (int step = 0; step < Shape::score_tiles / 2; ++step)
    multiply_held(product.sums, held.words[step], moved(right, step * 16 * row_bytes));
}

#endif

/// Products of a block's four warps, all of them at the same time where that is possible.
template <class Shape, class Element, class... More>
__device__ inline void multiply_rows_of_block(int warp, float* exchange, const RowsProduct<Shape, Element>& product,
                                              const More&... more) {
  if constexpr (by_warpgroup<Shape>) {
#if NATSCOPE_HAS_WARPGROUPS
    begin_products(product.scores, more.scores...);
    put_product(product);
    (put_product(more), ...);
    end_products(product.scores, more.scores...);
#endif
  } else {
    const auto multiply = [&](const RowsProduct<Shape, Element>& one) {
      rows_product<Shape>(one.scores, one.left + warp * 16 * Shape::stride, one.right, exchange);
    };
    multiply(product);
    (multiply(more), ...);
  }
}
template <class Shape, class Element, class... More>
__device__ inline void add_columns_of_block(float* exchange, const ColumnsProduct<Shape, Element>& product,
                                            const More&... more) {
  if constexpr (by_warpgroup<Shape>) {
#if NATSCOPE_HAS_WARPGROUPS
    const auto put_all = [](const auto&... of_product) {
      const auto put_held = [&](const auto&... held) {
        begin_products(of_product.sums...);
        (put_product(of_product, held), ...);
        end_products(of_product.sums...);
      };
      put_held(HeldWeights<Shape>(of_product.weights)...);
    };
    put_all(product, more...);
#endif
  } else {
    const auto multiply = [&](const ColumnsProduct<Shape, Element>& one) {
      columns_product<Shape>(one.sums, one.weights, one.right, exchange);
    };
    multiply(product);
    (multiply(more), ...);
  }
}

/// The sum, or the largest, over the four threads that share a row.
[[nodiscard]] __device__ inline float row_sum(float value) {
  value += __shfl_xor_sync(0xffffffffU, value, 1);
  return value + __shfl_xor_sync(0xffffffffU, value, 2);
}
[[nodiscard]] __device__ inline float row_largest(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 2));
}

}  // namespace natscope::kernels::cuda
