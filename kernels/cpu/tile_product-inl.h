// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// GCC 12 takes the deliberately undefined vectors inside its own intrinsics for mistakes (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "kernels/cpu/tiles.h"

/// Products of tiles, layouts that tiles read, and what surrounds them. Included by the files that use tiles and by no
/// other: everything between PUSH and POP may use instructions that are only there when tiles_available(); those of AMX
/// only when tiles_in_hardware().
///
/// A product C[r, j] += Σ_k A[r, k] · B[k, j] takes A by rows and B by pairs: B[k / 2, j, 2]. One tile is 16 rows of 64
/// bytes.
namespace natscope::kernels::cpu {

#define NATSCOPE_TILE_TARGET "amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"
HWY_PUSH_ATTRIBUTES(NATSCOPE_TILE_TARGET)

/// GCC's tile intrinsics do not say that they read and write memory: without this, stores move past them.
inline void tile_fence() { __asm__ volatile("" ::: "memory"); }

/// Tiles of 16 rows × 64 bytes for as long as this lives, and numbers too small for a normal f32 taken as zero (they
/// cost a hundred times as much and weigh nothing). Afterwards the thread's tiles are set up as they were: LibTorch's
/// products use them as well.
class TileSession {
 public:
  TileSession() : control_(_mm_getcsr()) {
    if (tiles_in_hardware()) {
      _tile_storeconfig(before_);
      alignas(64) std::uint8_t config[64] = {1};
      for (int tile = 0; tile < 8; ++tile) {
        config[16 + 2 * tile] = 64;
        config[48 + tile] = 16;
      }
      tile_fence();
      _tile_loadconfig(config);
    }
    _mm_setcsr(control_ | 0x8040U);
  }
  ~TileSession() {
    tile_fence();
    if (tiles_in_hardware()) _tile_loadconfig(before_);
    _mm_setcsr(control_);
  }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

 private:
  alignas(64) std::uint8_t before_[64] = {};
  unsigned control_;
};

/// tile_product in the processor's tiles, two by two at a time.
template <bool accumulate>
inline void tile_product_amx(const Bf16Bits* a, std::int64_t a_bytes, const Bf16Bits* b, std::int64_t b_bytes,
                             std::int64_t depth, float* c, std::int64_t c_bytes, std::int64_t row_tiles,
                             std::int64_t column_tiles) {
  const auto* const left = reinterpret_cast<const char*>(a);
  const auto* const right = reinterpret_cast<const char*>(b);
  auto* const result = reinterpret_cast<char*>(c);
  tile_fence();
  for (std::int64_t r = 0; r < row_tiles; r += 2) {
    const bool both = r + 1 < row_tiles;
    const char* const left0 = left + r * 16 * a_bytes;
    const char* const left1 = left0 + 16 * a_bytes;
    for (std::int64_t j = 0; j < column_tiles; j += 2) {
      char* const upper = result + r * 16 * c_bytes + j * 64;
      char* const lower = upper + 16 * c_bytes;
      if constexpr (accumulate) {
        _tile_loadd(0, upper, c_bytes);
        _tile_loadd(1, upper + 64, c_bytes);
        if (both) {
          _tile_loadd(2, lower, c_bytes);
          _tile_loadd(3, lower + 64, c_bytes);
        }
      } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      }
      for (std::int64_t k = 0; k < depth; ++k) {
        const char* const below = right + k * 16 * b_bytes + j * 64;
        _tile_loadd(6, below, b_bytes);
        _tile_loadd(7, below + 64, b_bytes);
        _tile_loadd(4, left0 + k * 64, a_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if (both) {
          _tile_loadd(5, left1 + k * 64, a_bytes);
          _tile_dpbf16ps(2, 5, 6);
          _tile_dpbf16ps(3, 5, 7);
        }
      }
      _tile_stored(0, upper, c_bytes);
      _tile_stored(1, upper + 64, c_bytes);
      if (both) {
        _tile_stored(2, lower, c_bytes);
        _tile_stored(3, lower + 64, c_bytes);
      }
    }
  }
  tile_fence();
}

/// tile_product in vectors: half a row tile by two column tiles at a time, whose sums stay in registers.
template <bool accumulate>
inline void tile_product_vectors(const Bf16Bits* a, std::int64_t a_bytes, const Bf16Bits* b, std::int64_t b_bytes,
                                 std::int64_t depth, float* c, std::int64_t c_bytes, std::int64_t row_tiles,
                                 std::int64_t column_tiles) {
  constexpr int rows = 8;
  for (std::int64_t r = 0; r < row_tiles * 16; r += rows) {
    const char* const left = reinterpret_cast<const char*>(a) + r * a_bytes;
    for (std::int64_t j = 0; j < column_tiles; j += 2) {
      const char* right = reinterpret_cast<const char*>(b) + j * 64;
      char* const result = reinterpret_cast<char*>(c) + r * c_bytes + j * 64;
      __m512 sum[rows][2];
#pragma GCC unroll 8
      for (int row = 0; row < rows; ++row) {
        sum[row][0] = accumulate ? _mm512_loadu_ps(result + row * c_bytes) : _mm512_setzero_ps();
        sum[row][1] = accumulate ? _mm512_loadu_ps(result + row * c_bytes + 64) : _mm512_setzero_ps();
      }
      for (std::int64_t pair = 0; pair < depth * 16; ++pair) {
        const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right));
        const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(right + 64));
        right += b_bytes;
#pragma GCC unroll 8
        for (int row = 0; row < rows; ++row) {
          int word;
          std::memcpy(&word, left + row * a_bytes + pair * 4, sizeof(word));
          const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(word));
          sum[row][0] = _mm512_dpbf16_ps(sum[row][0], both, b0);
          sum[row][1] = _mm512_dpbf16_ps(sum[row][1], both, b1);
        }
      }
#pragma GCC unroll 8
      for (int row = 0; row < rows; ++row) {
        _mm512_storeu_ps(result + row * c_bytes, sum[row][0]);
        _mm512_storeu_ps(result + row * c_bytes + 64, sum[row][1]);
      }
    }
  }
}

/// C (+)= A · B over `depth` tiles of 32. `row_tiles` may be odd, `column_tiles` is even. Row lengths in bytes.
template <bool accumulate>
inline void tile_product(const Bf16Bits* a, std::int64_t a_bytes, const Bf16Bits* b, std::int64_t b_bytes,
                         std::int64_t depth, float* c, std::int64_t c_bytes, std::int64_t row_tiles,
                         std::int64_t column_tiles) {
  if (tiles_in_hardware()) {
    tile_product_amx<accumulate>(a, a_bytes, b, b_bytes, depth, c, c_bytes, row_tiles, column_tiles);
  } else {
    tile_product_vectors<accumulate>(a, a_bytes, b, b_bytes, depth, c, c_bytes, row_tiles, column_tiles);
  }
}

/// 2^x for x ≤ 0. Relative error 3e-6: the weights are rounded to bf16 next, and their role sums are held to that.
inline __m512 tile_exp2(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-256.0F),
                    x);  // a masked score is so low that what is left after rounding is no fraction; NaN stays
  const __m512 shifter = _mm512_set1_ps(12582912.0F);  // 1.5 · 2^23: adding it rounds to whole numbers
  const __m512 whole = _mm512_sub_ps(_mm512_add_ps(x, shifter), shifter);
  const __m512 f = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(9.582853045e-3F);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.590642713e-2F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.402409863e-1F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931241931e-1F));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0F));
  return _mm512_scalef_ps(p, whole);
}

/// 32 numbers as bf16: `low` first.
inline __m512i tile_round(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

/// [16 of a, 16 of b] to a0 b0 a1 b1 …
inline __m512i tile_interleave(__m512i both) {
  alignas(64) static constexpr std::uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                          8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(order), both);
}

/// One row of the caller's array as bf16, padded with zeros to `width`.
inline void tile_pack_row(const float* from, std::int64_t head_dim, std::int64_t width, Bf16Bits* to) {
  for (std::int64_t i = 0; i < width; i += 32) {
    const auto lanes = [&](std::int64_t first) {
      const std::int64_t count = head_dim - first;
      return static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);
    };
    const __m512 low = _mm512_maskz_loadu_ps(lanes(i), from + i);
    const __m512 high = lanes(i + 16) == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(lanes(i + 16), from + i + 16);
    _mm512_storeu_si512(to + i, tile_round(low, high));
  }
}

/// 32-bit transposition: rows × columns to columns × rows, both multiples of 4. Row lengths in numbers of 32 bits.
inline void transpose_words(const float* from, std::int64_t from_row, std::int64_t rows, std::int64_t columns,
                            float* to, std::int64_t to_row) {
  for (std::int64_t r = 0; r < rows; r += 4) {
    for (std::int64_t c = 0; c < columns; c += 4) {
      const float* const corner = from + r * from_row + c;
      __m128 r0 = _mm_loadu_ps(corner);
      __m128 r1 = _mm_loadu_ps(corner + from_row);
      __m128 r2 = _mm_loadu_ps(corner + 2 * from_row);
      __m128 r3 = _mm_loadu_ps(corner + 3 * from_row);
      _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
      float* const other = to + c * to_row + r;
      _mm_storeu_ps(other, r0);
      _mm_storeu_ps(other + to_row, r1);
      _mm_storeu_ps(other + 2 * to_row, r2);
      _mm_storeu_ps(other + 3 * to_row, r3);
    }
  }
}

HWY_POP_ATTRIBUTES

}  // namespace natscope::kernels::cpu
