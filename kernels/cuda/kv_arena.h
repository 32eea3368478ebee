// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/cuda/host_device.h"
#include "kernels/element_type.h"
#include "kernels/kv_cache.h"
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
  std::int32_t most_pages = 0;  ///< whole slabs
  std::int32_t window = 0;
  std::int32_t most_moves = 0;      ///< sliding entries that one head can hold
  std::int32_t most_tokens = 0;     ///< that one append can bring
  std::int32_t layers_at_once = 1;  ///< that can append a token in one kernel: `moves` and `slots` have room for them
  std::int32_t heavy = 0;           ///< where scores are kept: ScoreRule
  std::int32_t recent = 0;
  EntryScores entry_scores = EntryScores::of_all_queries;
  std::int32_t most_scored = 0;  ///< entries that one head can hold then; 0: no scores are kept
  std::int64_t page_bytes = 0;

  KvHeadState* heads = nullptr;            ///< [layers, kv_heads]
  KvPageStock* stock = nullptr;            ///< right behind the heads
  std::int32_t* page_table = nullptr;      ///< [layers, kv_heads, head_pages]
  std::int32_t* free_pages = nullptr;      ///< [most_pages], a stack
  std::int32_t* returned_pages = nullptr;  ///< [most_pages]: empty since this step
  std::byte** slabs = nullptr;             ///< [most_pages / pages per slab]
  std::int32_t* moves = nullptr;           ///< [layers_at_once · kv_heads, 2, most_moves]: see kv_append.h
  std::int32_t* slots = nullptr;  ///< where the tokens of an append go: [kv_heads, most_tokens], or of one token each
                                  ///< of [layers_at_once, kv_heads]
  float* scores = nullptr;        ///< [layers, kv_heads, most_scored], by slot: sums of attention weights

  [[nodiscard]] NATSCOPE_HD std::int64_t head_count() const { return static_cast<std::int64_t>(layers) * kv_heads; }
  [[nodiscard]] NATSCOPE_HD std::int64_t row_bytes() const {
    return static_cast<std::int64_t>(row_elements) * (dtype == ElementType::f32 ? 4 : 2);
  }
  [[nodiscard]] NATSCOPE_HD std::int32_t pages_for(std::int64_t entries) const {
    return static_cast<std::int32_t>((entries + page_entries - 1) / page_entries);
  }
  /// Bytes of `moves` and of `slots`.
  [[nodiscard]] NATSCOPE_HD std::int64_t moves_bytes() const {
    return std::int64_t{8} * most_moves * kv_heads * layers_at_once;
  }
  [[nodiscard]] NATSCOPE_HD std::int64_t slots_bytes() const {
    return std::int64_t{4} * kv_heads * (most_tokens > layers_at_once ? most_tokens : layers_at_once);
  }
  [[nodiscard]] NATSCOPE_HD std::int64_t slab_bytes() const { return page_bytes << pages_per_slab_log2; }
  [[nodiscard]] NATSCOPE_HD std::int32_t slab_count() const { return most_pages >> pages_per_slab_log2; }
  /// Whether all slabs together are enough for any tokens.
  [[nodiscard]] NATSCOPE_HD bool is_never_short() const { return most_pages >= head_count() * head_pages; }
  [[nodiscard]] NATSCOPE_HD std::byte* page(std::int32_t id) const {
    return slabs[id >> pages_per_slab_log2] + (id & ((1 << pages_per_slab_log2) - 1)) * page_bytes;
  }
};

/// One (layer, KV head) of an arena, slot by slot.
struct KvHeadPages {
  const KvArena* arena;
  KvHeadState* state;
  std::int32_t* table;
  float* scores;  ///< by slot, where the arena keeps scores

  NATSCOPE_HD KvHeadPages(const KvArena& of, std::int64_t layer, std::int64_t kv_head)
      : arena(&of),
        state(of.heads + layer * of.kv_heads + kv_head),
        table(of.page_table + (layer * of.kv_heads + kv_head) * of.head_pages),
        scores(of.scores + (layer * of.kv_heads + kv_head) * of.most_scored) {}

  [[nodiscard]] NATSCOPE_HD std::byte* key_row(std::int32_t slot) const {
    return arena->page(table[slot / arena->page_entries]) + slot % arena->page_entries * arena->row_bytes();
  }
  /// From a key's row to its value's.
  [[nodiscard]] NATSCOPE_HD std::int64_t value_offset() const { return arena->page_entries * arena->row_bytes(); }
  [[nodiscard]] NATSCOPE_HD std::int32_t& position(std::int32_t slot) const {
    std::byte* const positions = arena->page(table[slot / arena->page_entries]) + 2 * value_offset();
    return reinterpret_cast<std::int32_t*>(positions)[slot % arena->page_entries];
  }
};

/// Sizes of an arena, whose pages may take `limit_bytes` in all (0: as many as the tokens could need).
[[nodiscard]] inline KvArena sized_arena(const KvCacheShape& shape, std::int64_t max_tokens, std::int64_t limit_bytes) {
  constexpr std::int64_t usual_slab_bytes = std::int64_t{32} << 20;
  KvArena arena;
  arena.layers = shape.layers;
  arena.kv_heads = shape.kv_heads;
  arena.head_dim = shape.head_dim;
  arena.dtype = shape.dtype;
  arena.page_entries = shape.page_entries;
  const auto per_piece = static_cast<std::int32_t>(16 / element_bytes(shape.dtype));
  arena.row_elements = (shape.head_dim + per_piece - 1) / per_piece * per_piece;
  arena.page_bytes = (2 * shape.page_entries * arena.row_bytes() + shape.page_entries * 4 + 255) / 256 * 256;
  arena.head_pages = arena.pages_for(max_tokens);
  std::int64_t most = arena.head_count() * arena.head_pages;
  if (limit_bytes > 0 && limit_bytes / arena.page_bytes < most) most = limit_bytes / arena.page_bytes;
  while (arena.slab_bytes() < usual_slab_bytes && (std::int64_t{2} << arena.pages_per_slab_log2) <= most)
    ++arena.pages_per_slab_log2;
  const std::int64_t most_slabs = std::numeric_limits<std::int32_t>::max() >> arena.pages_per_slab_log2;
  std::int64_t slabs = most >> arena.pages_per_slab_log2;
  // The last pages that the tokens could need take a slab of their own, where the limit allows one.
  if ((slabs << arena.pages_per_slab_log2) < most &&
      (limit_bytes == 0 || (slabs + 1) * arena.slab_bytes() <= limit_bytes))
    ++slabs;
  arena.most_pages = static_cast<std::int32_t>((slabs < most_slabs ? slabs : most_slabs) << arena.pages_per_slab_log2);
  return arena;
}

/// Sets `most_moves` for a window, and how many layers' moves may be kept at once.
inline void set_window(KvArena& arena, std::int64_t window, std::int64_t max_tokens) {
  constexpr std::int64_t most_moves_bytes = std::int64_t{32} << 20;
  constexpr std::int64_t widest = std::numeric_limits<std::int32_t>::max();
  const std::int64_t held = window < 0 ? 0 : window < widest ? window : widest;
  arena.window = static_cast<std::int32_t>(held);
  arena.most_moves = static_cast<std::int32_t>(held < max_tokens ? held : max_tokens);
  arena.layers_at_once = 1;
  const std::int64_t layer_bytes = arena.moves_bytes();
  const std::int64_t layers = layer_bytes > 0 ? most_moves_bytes / layer_bytes : arena.layers;
  arena.layers_at_once = static_cast<std::int32_t>(layers < 1 ? 1 : layers < arena.layers ? layers : arena.layers);
}

/// Sets the rule by which scores are kept, null for none, and with it the bytes of `scores`, which it returns.
inline std::int64_t set_score_rule(KvArena& arena, const ScoreRule* rule, std::int64_t max_tokens) {
  constexpr std::int64_t widest = std::numeric_limits<std::int32_t>::max();
  const auto held = [&](std::int64_t count) { return static_cast<std::int32_t>(count < widest ? count : widest); };
  arena.heavy = rule == nullptr ? 0 : held(rule->heavy);
  arena.recent = rule == nullptr ? 0 : held(rule->recent);
  arena.entry_scores = rule == nullptr ? EntryScores::of_all_queries : rule->scores;
  // The newest token stands beside those that the rule kept before it; until a prompt ends it keeps all.
  const bool is_once = arena.entry_scores == EntryScores::of_prompt_end;
  const std::int64_t most = is_once ? max_tokens : std::int64_t{arena.heavy} + arena.recent + 1;
  arena.most_scored = rule == nullptr ? 0 : static_cast<std::int32_t>(most < max_tokens ? most : max_tokens);
  return std::int64_t{4} * arena.head_count() * arena.most_scored;
}

/// Divides what begins at `base` into the arena's tables, and says how many bytes they are; without a base it only
/// counts.
inline std::int64_t divide_tables(KvArena& arena, void* base) {
  std::int64_t used_bytes = 0;
  const auto take = [&](std::int64_t bytes, std::int64_t alignment) -> void* {
    used_bytes = (used_bytes + alignment - 1) / alignment * alignment;
    void* const piece = base == nullptr ? nullptr : static_cast<char*>(base) + used_bytes;
    used_bytes += bytes;
    return piece;
  };
  constexpr auto head_bytes = static_cast<std::int64_t>(sizeof(KvHeadState));
  arena.heads = static_cast<KvHeadState*>(take(arena.head_count() * head_bytes, 256));
  arena.stock = static_cast<KvPageStock*>(take(static_cast<std::int64_t>(sizeof(KvPageStock)), head_bytes));
  arena.page_table = static_cast<std::int32_t*>(take(arena.head_count() * arena.head_pages * 4, 256));
  arena.free_pages = static_cast<std::int32_t*>(take(std::int64_t{4} * arena.most_pages, 256));
  arena.returned_pages = static_cast<std::int32_t*>(take(std::int64_t{4} * arena.most_pages, 256));
  arena.slabs = static_cast<std::byte**>(take(std::int64_t{8} * arena.slab_count(), 256));
  return used_bytes;
}
static_assert(sizeof(KvHeadState) == 32 && sizeof(KvPageStock) == 32);

}  // namespace natscope::kernels::cuda
