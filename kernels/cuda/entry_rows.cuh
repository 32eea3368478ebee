// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/kv_arena.h"
#include "kernels/cuda/tile_math.cuh"

namespace natscope::kernels::cuda {

/// Begins to copy the keys and values of `count` slots from `slot` on into rows of two tiles, from row `first` on, by
/// one warp; the caller commits and waits. Every lane looks up one row's address, and hands it on to whoever copies a
/// piece of that row. What lies behind the last entry, and behind head_dim, becomes zero: its weight is 0, and 0 · NaN
/// would not be.
template <class Shape, int count, class Element>
__device__ inline void fetch_entry_rows(const KvHeadPages& head, std::int32_t slot, std::int32_t entries, Element* keys,
                                        Element* values, int first = 0) {
  static_assert(count <= 32);
  constexpr int per_piece = 16 / static_cast<int>(sizeof(Element));
  constexpr int pieces = Shape::dim / per_piece;
  const std::int32_t own_slot = min(slot + own_lane() % count, entries - 1);
  const auto own_row = reinterpret_cast<unsigned long long>(head.key_row(own_slot));
  const std::int64_t to_value = head.value_offset();
  const std::int32_t row_elements = head.arena->row_elements;
#pragma unroll 4
  for (int index = own_lane(); index < count * pieces; index += 32) {
    const int row = index / pieces;
    const int column = index % pieces * per_piece;
    const auto* from = reinterpret_cast<const std::byte*>(__shfl_sync(0xffffffffU, own_row, row));
    const bool there = slot + row < entries && column < row_elements;
    if (there) from += column * static_cast<int>(sizeof(Element));
    const int place = place_of_piece<Shape>(first + row, column);
    __pipeline_memcpy_async(keys + place, from, 16, there ? 0 : 16);
    __pipeline_memcpy_async(values + place, from + to_value, 16, there ? 0 : 16);
  }
}

}  // namespace natscope::kernels::cuda
