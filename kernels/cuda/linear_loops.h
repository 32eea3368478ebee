// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/cuda/tile_products.h"
#include "kernels/element_type.h"

/// Which numbers of a row of weights a lane multiplies, for the device and for the CPU test that holds it to `ref`.
namespace natscope::kernels::cuda {

inline constexpr int linear_rows_at_once = 4;  ///< rows of x that share one reading of the weights
inline constexpr int linear_warps = 8;         ///< rows of weights a block

/// Numbers of a 16-byte piece when rows begin on one, else 1.
template <class Weight>
[[nodiscard]] NATSCOPE_HD constexpr int linear_piece(std::int64_t in_size, std::uintptr_t weight) {
  constexpr int per_piece = 16 / static_cast<int>(sizeof(Weight));
  return weight % 16 == 0 && in_size % per_piece == 0 ? per_piece : 1;
}

template <class Weight, int count>
struct alignas(sizeof(Weight) * count) LinearPiece {
  Weight numbers[count];
};

[[nodiscard]] NATSCOPE_HD inline float linear_number(float value) { return value; }
[[nodiscard]] NATSCOPE_HD inline float linear_number(Bf16 value) { return to_float(value); }

/// What a lane adds to the products of one row of weights with `rows` (at most linear_rows_at_once) rows of x.
template <int piece, class Weight>
NATSCOPE_HD inline void linear_lane_sums(int lane, const Weight* weight, const float* x, std::int64_t rows,
                                         std::int64_t in_size, float (&sums)[linear_rows_at_once]) {
  for (std::int64_t column = std::int64_t{lane} * piece; column < in_size; column += 32 * piece) {
    const auto held = *reinterpret_cast<const LinearPiece<Weight, piece>*>(weight + column);
    NATSCOPE_UNROLL
    for (int row = 0; row < linear_rows_at_once; ++row) {
      if (row >= rows) continue;
      NATSCOPE_UNROLL
      for (int i = 0; i < piece; ++i)
        sums[row] = std::fma(linear_number(held.numbers[i]), x[row * in_size + column + i], sums[row]);
    }
  }
}

inline constexpr int pieces_ahead = 4;  ///< of a row of weights, that a lane reads before it multiplies

/// The pieces of a lane from `first` on, of a row of weights of in_size; what lies behind the row's end is not read.
template <int piece, class Weight>
struct LanePieces {
  LinearPiece<Weight, piece> held[pieces_ahead];

  static constexpr std::int64_t columns = std::int64_t{32} * piece * pieces_ahead;  ///< of all lanes

  [[nodiscard]] NATSCOPE_HD static std::int64_t column(int lane, std::int64_t first, int index) {
    return first + (std::int64_t{32} * index + lane) * piece;
  }
  NATSCOPE_HD void read(int lane, const Weight* weight, std::int64_t first, std::int64_t in_size) {
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces_ahead; ++index) {
      const std::int64_t at = column(lane, first, index);
      if (at < in_size) held[index] = *reinterpret_cast<const LinearPiece<Weight, piece>*>(weight + at);
    }
  }
  /// In the order of linear_lane_sums, so that the sum has the same bits.
  NATSCOPE_HD void multiply(int lane, const float* x, std::int64_t first, std::int64_t in_size, float& sum) const {
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces_ahead; ++index) {
      const std::int64_t at = column(lane, first, index);
      if (at >= in_size) continue;
      constexpr int at_once = piece % 4 == 0 ? 4 : 1;  // x begins on as much
      NATSCOPE_UNROLL
      for (int i = 0; i < piece; i += at_once) {
        const auto of_x = *reinterpret_cast<const LinearPiece<float, at_once>*>(x + at + i);
        NATSCOPE_UNROLL
        for (int j = 0; j < at_once; ++j)
          sum = std::fma(linear_number(held[index].numbers[i + j]), of_x.numbers[j], sum);
      }
    }
  }
};

}  // namespace natscope::kernels::cuda
