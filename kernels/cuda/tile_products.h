// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/host_device.h"

/// Products of tiles in shared memory as one warp's steps: which thread reads what, and where its results belong.
/// `Warp` is the hardware's instructions (tile_math.cuh) or the CPU test's model of them, written from their
/// description.
///
/// A warp owns 16 rows of the left matrix; its threads hold the result as mma.m16n8k16 leaves it: of every 8 columns,
/// thread t has columns 2 (t mod 4) and the one after, of rows t / 4 and t / 4 + 8. Source: PTX ISA, "Matrix Fragments
/// for mma.m16n8k16" and "ldmatrix".
namespace natscope::kernels::cuda {

/// Sizes of tiles of `dim` columns: a row is padded by 16 bytes so that eight rows' 16-byte pieces fall into different
/// banks.
template <class Element, int dim_>
struct TileShape {
  static constexpr int dim = dim_;
  static constexpr int rows = sizeof(Element) == 2 ? 64 : 32;
  static constexpr int warps = rows / 16;
  static constexpr int threads = warps * 32;
  static constexpr int stride = dim + 16 / static_cast<int>(sizeof(Element));
  static constexpr int elements = rows * stride;
  static constexpr int score_tiles = rows / 8;
  static constexpr int dim_tiles = dim / 8;
  /// f32 products pass weights from thread to thread through this much of shared memory a warp.
  static constexpr int exchange_stride = rows + 4;
  static constexpr int exchange_floats = sizeof(Element) == 2 ? 0 : 16 * exchange_stride;
};

/// Columns of a tile that takes rows of head_dim, 0 where there is no code for it.
[[nodiscard]] NATSCOPE_HD constexpr int tile_dim(long long head_dim) {
  return head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : head_dim <= 256 ? 256 : 0;
}

/// Where the numbers of a lane's fragment belong: slot 0 or 1 of its rows, `which` 0 or 1 of its columns of an 8-wide
/// tile.
[[nodiscard]] NATSCOPE_HD constexpr int lane_row(int lane, int slot) { return lane / 4 + slot * 8; }
[[nodiscard]] NATSCOPE_HD constexpr int lane_column(int lane, int tile, int which) {
  return tile * 8 + lane % 4 * 2 + which;
}

/// The row that a lane names to ldmatrix, as an offset: of 16 × 16 of the left matrix, of 16 rows × 16 columns of the
/// right one (two 8-wide tiles), and of the right one when its rows are what is summed over.
[[nodiscard]] NATSCOPE_HD constexpr int left_offset(int lane, int stride) { return lane % 16 * stride + lane / 16 * 8; }
[[nodiscard]] NATSCOPE_HD constexpr int right_offset(int lane, int stride) {
  return (lane % 8 + lane / 16 * 8) * stride + lane / 8 % 2 * 8;
}
[[nodiscard]] NATSCOPE_HD constexpr int summed_offset(int lane, int stride) {
  return lane % 16 * stride + lane / 16 * 8;
}

/// scores[row, column] += Σ left[row, i] · right[column, i]. `left` is the warp's first row; `right` the whole tile.
template <class Shape, class Warp, class Element>
NATSCOPE_HD void rows_product_steps(const Warp& warp, typename Warp::Sums (&scores)[Shape::score_tiles],
                                    const Element* left, const Element* right) {
  NATSCOPE_UNROLL
  for (int i = 0; i < Shape::dim; i += 16) {
    typename Warp::Words a;
    warp.load(a, left + i, [](int lane) { return left_offset(lane, Shape::stride); });
    NATSCOPE_UNROLL
    for (int tile = 0; tile < Shape::score_tiles; tile += 2) {
      typename Warp::Words b;
      warp.load(b, right + tile * 8 * Shape::stride + i, [](int lane) { return right_offset(lane, Shape::stride); });
      warp.multiply_add(scores[tile], a, b, 0);
      warp.multiply_add(scores[tile + 1], a, b, 2);
    }
  }
}

/// sums[row, d] += Σ weights[row, column] · right[column, d], the weights as rows_product left them, rounded to bf16:
/// what a thread holds of two tiles of scores is what it has to hold of the left matrix.
template <class Shape, class Warp, class Element>
NATSCOPE_HD void columns_product_steps(const Warp& warp, typename Warp::Sums (&sums)[Shape::dim_tiles],
                                       const typename Warp::Sums (&weights)[Shape::score_tiles], const Element* right) {
  NATSCOPE_UNROLL
  for (int tile = 0; tile < Shape::score_tiles; tile += 2) {
    typename Warp::Words a;
    warp.round(a, weights[tile], weights[tile + 1]);
    NATSCOPE_UNROLL
    for (int part = 0; part < Shape::dim_tiles; part += 2) {
      typename Warp::Words b;
      warp.load_transposed(b, right + tile * 8 * Shape::stride + part * 8,
                           [](int lane) { return summed_offset(lane, Shape::stride); });
      warp.multiply_add(sums[part], a, b, 0);
      warp.multiply_add(sums[part + 1], a, b, 2);
    }
  }
}

}  // namespace natscope::kernels::cuda
