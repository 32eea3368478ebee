// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

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

/// A piece of a row of weights as it is kept until it is multiplied: whole words, whatever stands in them.
template <class Weight, int piece>
struct HeldPiece {
  LinearPiece<Weight, piece> numbers{};

  [[nodiscard]] NATSCOPE_HD float number(int index) const { return linear_number(numbers.numbers[index]); }
};
template <>
struct HeldPiece<Bf16, 8> {
  LinearPiece<std::uint32_t, 4> pairs{};

  [[nodiscard]] NATSCOPE_HD float number(int index) const {
    const std::uint32_t pair = pairs.numbers[index / 2];
    return std::bit_cast<float>(index % 2 == 0 ? pair << 16U : pair & 0xffff0000U);
  }
};

/// A piece that nobody reads again soon: past the first-level cache, which is left to what many warps read.
template <int piece, class Weight>
[[nodiscard]] NATSCOPE_HD inline HeldPiece<Weight, piece> read_once(const Weight* from) {
  HeldPiece<Weight, piece> held;
#ifdef __CUDA_ARCH__
  if constexpr (sizeof(held) == 16) {
    std::uint32_t words[4];
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "l"(from));
    memcpy(static_cast<void*>(&held), words, sizeof(held));
    return held;
  }
#endif
  if constexpr (sizeof(held) < 16) {
    // Not as bytes, of which nvcc would read one after another.
    held.numbers = *reinterpret_cast<const LinearPiece<Weight, piece>*>(from);
  } else {
    std::memcpy(static_cast<void*>(&held), from, sizeof(held));
  }
  return held;
}

/// Where the index-th piece of a lane begins, of what a warp has from `first` on of a row.
template <int piece>
[[nodiscard]] NATSCOPE_HD inline std::int32_t lane_column(int lane, std::int32_t first, int index) {
  return first + (32 * index + lane) * piece;
}

/// What a lane holds of a row of f32; zero behind the row's end.
template <int piece, int pieces>
struct LaneNumbers {
  float numbers[piece * pieces];

  NATSCOPE_HD void read(int lane, const float* row, std::int32_t first, std::int32_t in_size) {
    constexpr int at_once = piece % 4 == 0 ? 4 : 1;  // the row begins on as much
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces; ++index) {
      const std::int32_t at = lane_column<piece>(lane, first, index);
      NATSCOPE_UNROLL
      for (int i = 0; i < piece; i += at_once) {
        LinearPiece<float, at_once> held{};
        if (at < in_size) held = *reinterpret_cast<const LinearPiece<float, at_once>*>(row + at + i);
        NATSCOPE_UNROLL
        for (int j = 0; j < at_once; ++j) numbers[index * piece + i + j] = held.numbers[j];
      }
    }
  }
  /// Brings what read() will read near, and waits for none of it.
  NATSCOPE_HD static void touch(int lane, const float* row, std::int32_t first, std::int32_t in_size) {
#ifdef __CUDA_ARCH__
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces; ++index) {
      const std::int32_t at = lane_column<piece>(lane, first, index);
      // Not a load: of one whose number nobody uses the assembler makes nothing.
      if (at < in_size) asm volatile("prefetch.global.L1 [%0];" ::"l"(row + at));
    }
#else
    static_cast<void>(lane), static_cast<void>(row), static_cast<void>(first), static_cast<void>(in_size);
#endif
  }
  [[nodiscard]] NATSCOPE_HD float squares() const {
    float sum = 0;
    NATSCOPE_UNROLL
    for (int i = 0; i < piece * pieces; ++i) sum = std::fma(numbers[i], numbers[i], sum);
    return sum;
  }
};

/// The same of a row of weights; its product with as much of x.
template <int piece, int pieces, class Weight>
struct LanePieces {
  HeldPiece<Weight, piece> held[pieces];

  NATSCOPE_HD void read(int lane, const Weight* row, std::int32_t first, std::int32_t in_size) {
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces; ++index) {
      const std::int32_t at = lane_column<piece>(lane, first, index);
      held[index] = {};
      if (at < in_size) held[index] = read_once<piece>(row + at);
    }
  }
  NATSCOPE_HD void multiply(const LaneNumbers<piece, pieces>& x, float& sum) const {
    NATSCOPE_UNROLL
    for (int index = 0; index < pieces; ++index) {
      NATSCOPE_UNROLL
      for (int i = 0; i < piece; ++i) sum = std::fma(held[index].number(i), x.numbers[index * piece + i], sum);
    }
  }
};

}  // namespace natscope::kernels::cuda
