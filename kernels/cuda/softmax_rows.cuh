// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>

#include "kernels/cuda/tile_math.cuh"
#include "kernels/cuda/train_loops.h"

namespace natscope::kernels::cuda {

/// Online softmax of the 16 rows of a warp, as its threads hold them: scores of the tile at hand, and what was found so
/// far. Source: FlashAttention (arXiv 2205.14135).
template <class Shape>
class SoftmaxRows {
 public:
  /// Scores to weights relative to each query's largest so far; what was summed before shrinks to match.
  __device__ void soften(float scale_log2) {
    float shrinks[2];
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      float top = -INFINITY;
#pragma unroll
      for (int tile = 0; tile < Shape::score_tiles; ++tile) {
        top = fmaxf(top, fmaxf(scores_[tile][2 * slot], scores_[tile][2 * slot + 1]));
      }
      const float largest = fmaxf(largest_[slot], row_largest(top));
      const float reference = largest == -INFINITY ? 0.0F : largest * scale_log2;
      // Exactly 1 where nothing larger came, tile for tile. The two products' difference would not be: nvcc fuses one of
      // them with the subtraction, and what the other one was rounded by is left.
      const float shrink = largest == largest_[slot] ? 1.0F : fast_exp2((largest_[slot] - largest) * scale_log2);
      largest_[slot] = largest;
      float added = 0.0F;
#pragma unroll
      for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
        for (int which = 0; which < 2; ++which) {
          float& weight = scores_[tile][2 * slot + which];
          weight = fast_exp2(fmaf(weight, scale_log2, -reference));
          added += weight;
        }
      }
      total_[slot] = fmaf(total_[slot], shrink, added);  // tile by tile: fewer roundings than one number at a time
      shrinks[slot] = shrink;
    }
    // Where no row of the warp found anything larger, all factors are exactly 1: nothing would change.
    if (__ballot_sync(0xffffffffU, shrinks[0] != 1.0F || shrinks[1] != 1.0F) == 0) return;
#pragma unroll
    for (int part = 0; part < Shape::dim_tiles; ++part) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums_[part][i] *= shrinks[i / 2];
    }
  }

 protected:
  __device__ void begin_softmax() {
    clear(sums_);
    largest_[0] = largest_[1] = -INFINITY;
    total_[0] = total_[1] = 0.0F;
  }
  /// The sum of weights of a thread's row, and the natural log of the sum of e^score.
  [[nodiscard]] __device__ float total_of(int slot) const { return row_sum(total_[slot]); }
  [[nodiscard]] __device__ float lse_of(int slot, float total, float scale_log2) const {
    return largest_[slot] * (scale_log2 / log2_e) + logf(total);
  }
  /// A row's sums as numbers of an output of `head_dim` columns.
  __device__ void write_sums(float* row, int head_dim, int slot, float factor) const {
#pragma unroll
    for (int part = 0; part < Shape::dim_tiles; ++part) {
#pragma unroll
      for (int which = 0; which < 2; ++which) {
        const int d = fragment_column(part, which);
        if (d < head_dim) row[d] = sums_[part][2 * slot + which] * factor;
      }
    }
  }

  Fragment sums_[Shape::dim_tiles];
  Fragment scores_[Shape::score_tiles];
  float largest_[2];
  float total_[2];  // of the columns that this thread holds
};

}  // namespace natscope::kernels::cuda
