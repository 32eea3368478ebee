// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/kv_arena.h"
#include "kernels/cuda/tile_math.cuh"

namespace natscope::kernels::cuda {

/// Begins to copy the keys and values of `count` slots from `slot` on into rows of two tiles, from row `first` on, by
/// one warp; the caller commits and waits. Where the slots stand on one page, as nearly all do, one address is found
/// for all; else every lane looks up one row's address, and hands it on to whoever copies a piece of that row. What
/// lies behind the last entry, and behind head_dim, becomes zero: its weight is 0, and 0 · NaN would not be.
template <class Shape, int count, class Element>
__device__ inline void fetch_entry_rows(const KvHeadPages& head, std::int32_t slot, std::int32_t entries, Element* keys,
                                        Element* values, int first = 0) {
  static_assert(count <= 32);
  constexpr int per_piece = 16 / static_cast<int>(sizeof(Element));
  constexpr int pieces = Shape::dim / per_piece;
  const std::int64_t to_value = head.value_offset();
  const std::int32_t row_elements = head.arena->row_elements;
  if (slot + count <= entries && row_elements == Shape::dim &&
      slot % head.arena->page_entries + count <= head.arena->page_entries) {
    constexpr int row_bytes = Shape::dim * static_cast<int>(sizeof(Element));
    constexpr int rows_at_once = pieces < 32 ? 32 / pieces : 1;
    const int row = own_lane() / pieces;
    const std::byte* const page_row = head.key_row(slot);
#pragma unroll
    for (int other = 0; other < pieces; other += 32) {
      const int column = (own_lane() % pieces + other) * per_piece;
      const std::byte* const key = page_row + row * row_bytes + column * static_cast<int>(sizeof(Element));
      const std::byte* const value = key + to_value;
#pragma unroll
      for (int next = 0; next < count; next += rows_at_once) {
        const int place = place_of_piece<Shape>(first + row + next, column);
        __pipeline_memcpy_async(keys + place, key + next * row_bytes, 16);
        __pipeline_memcpy_async(values + place, value + next * row_bytes, 16);
      }
    }
    return;
  }
  const std::int32_t own_slot = min(slot + own_lane() % count, entries - 1);
  const auto own_row = reinterpret_cast<unsigned long long>(head.key_row(own_slot));
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
