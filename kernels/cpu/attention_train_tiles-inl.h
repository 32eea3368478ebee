// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstring>

#include "kernels/cpu/attention_train_tiles.h"
#include "kernels/cpu/tile_product-inl.h"

/// The layouts in which training's tiles read blocks of rows.
namespace natscope::kernels::cpu {

HWY_PUSH_ATTRIBUTES(NATSCOPE_TILE_TARGET)

/// Rows [begin, begin + train_block) of a head, zeros past the end.
template <class View4>
inline void tile_pack_block(const View4& array, std::int64_t batch, std::int64_t head, std::int64_t begin,
                            const TrainShape& shape, Bf16Bits* to) {
  const std::int64_t width = tile_dim(shape);
  for (std::int64_t m = 0; m < train_block; ++m) {
    if (begin + m < shape.length) {
      tile_pack_row(&array(batch, head, begin + m, 0), shape.head_dim, width, to + m * width);
    } else {
      std::fill(to + m * width, to + (m + 1) * width, Bf16Bits{0});
    }
  }
}

/// One block of keys or values in the order of `order`.
template <class View4>
inline void tile_pack_ordered(const View4& array, std::int64_t batch, std::int64_t kv_head, const KeyOrder& order,
                              std::int64_t block, const TrainShape& shape, Bf16Bits* to) {
  const std::int64_t width = tile_dim(shape);
  for (std::int64_t r = 0; r < train_block; ++r) {
    const std::int64_t place = block * train_block + r;
    if (order.last[place] >= 0) {
      tile_pack_row(&array(batch, kv_head, order.position[place], 0), shape.head_dim, width, to + r * width);
    } else {
      std::fill(to + r * width, to + (r + 1) * width, Bf16Bits{0});
    }
  }
}

/// rows [train_block, width] to [width / 2, train_block, 2]: a pair of neighbouring dimensions is one word.
inline void dimension_pairs(const Bf16Bits* rows, std::int64_t width, Bf16Bits* pairs) {
  transpose_words(reinterpret_cast<const float*>(rows), width / 2, train_block, width / 2,
                  reinterpret_cast<float*>(pairs), train_block);
}

/// rows [train_block, width] to [train_block / 2, width, 2]: two rows side by side.
inline void row_pairs(const Bf16Bits* rows, std::int64_t width, Bf16Bits* pairs) {
  for (std::int64_t r = 0; r < train_block; r += 2) {
    for (std::int64_t i = 0; i < width; i += 16) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + r * width + i));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + (r + 1) * width + i));
      const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
      _mm512_storeu_si512(pairs + r * width + 2 * i, tile_interleave(both));
    }
  }
}

/// rows [train_block, width] to [width, train_block].
inline void columns_of(const Bf16Bits* rows, std::int64_t width, Bf16Bits* columns) {
  alignas(64) std::uint32_t words[train_block];
  for (std::int64_t i = 0; i < width; i += 2) {
    for (std::int64_t r = 0; r < train_block; ++r) std::memcpy(&words[r], rows + r * width + i, sizeof(std::uint32_t));
    for (std::int64_t r = 0; r < train_block; ++r)
      columns[i * train_block + r] = static_cast<Bf16Bits>(words[r] & 0xffffU);
    for (std::int64_t r = 0; r < train_block; ++r)
      columns[(i + 1) * train_block + r] = static_cast<Bf16Bits>(words[r] >> 16U);
  }
}

HWY_POP_ATTRIBUTES

}  // namespace natscope::kernels::cpu
