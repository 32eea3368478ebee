// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/element_type.h"
#include "kernels/token_roles.h"

/// Where the entries of a device's cache lie: the arithmetic of slots, pages and slabs, for the device and for the CPU
/// tests that hold it to the CPU's cache.
namespace natscope::kernels::cuda {

/// What the device knows of one (layer, KV head).
struct KvHeadState {
  std::int32_t held[role_count];  ///< entries: globals in slots from 0 on, then locals, then sliding ones
  std::int32_t next_position;
  std::int32_t pages;
  std::int32_t unused[3];

  [[nodiscard]] NATSCOPE_HD std::int32_t entries() const { return held[0] + held[1] + held[2]; }
};

/// What the device knows of all pages.
struct KvPageStock {
  std::int32_t free;      ///< ids in KvArena::free_pages
  std::int32_t returned;  ///< ids in KvArena::returned_pages
  std::int32_t failed;    ///< appends that found no page, or no place in the table
  std::int32_t unused[5];
};

/// Pointers into device memory; kernels take it by value. Pages are numbered through all slabs. A page is
/// keys [page_entries, row_elements], values [page_entries, row_elements], positions [page_entries] i32, and padding.
struct KvArena {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t row_elements = 0;  ///< head_dim rounded up to 16 bytes
  ElementType dtype = ElementType::f32;
  std::int32_t page_entries = 0;
  std::int32_t pages_per_slab_log2 = 0;
  std::int32_t head_pages = 0;  ///< places of one head in the page table
  std::int32_t most_pages = 0;
  std::int32_t window = 0;
  std::int32_t most_moves = 0;  ///< sliding entries that one head can hold
  std::int64_t page_bytes = 0;

  KvHeadState* heads = nullptr;            ///< [layers, kv_heads]
  KvPageStock* stock = nullptr;            ///< behind the heads
  std::int32_t* page_table = nullptr;      ///< [layers, kv_heads, head_pages]
  std::int32_t* free_pages = nullptr;      ///< [most_pages], a stack
  std::int32_t* returned_pages = nullptr;  ///< [most_pages]: empty since this step
  std::byte** slabs = nullptr;             ///< [most_pages / pages per slab]
  std::int32_t* moves = nullptr;           ///< [kv_heads, 2, most_moves]: see kv_append.h
};

}  // namespace natscope::kernels::cuda
