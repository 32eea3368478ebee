// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/kv_arena.h"
#include "kernels/device_operations.h"
#include "kernels/kv_cache.h"

namespace natscope::kernels::cuda {

/// Where device memory comes from, when not from CUDA itself (LibTorch's caching allocator, say). `allocate` gives
/// memory aligned to 256 bytes; both may be called outside of a step only, never while a graph records.
struct DeviceAllocator {
  void* context = nullptr;
  Status (*allocate)(void* context, std::int64_t size_bytes, void** data) = nullptr;
  void (*release)(void* context, void* data) = nullptr;
};

/// One head's entries, brought to the host: what kernels/kv_cache.h calls pages, in one piece.
///   keys, values [count, head_dim] f32
struct HeadEntries {
  std::vector<std::int32_t> positions;
  std::vector<Role> roles;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> scores;  ///< empty when scores are not kept
};

/// The cache of kernels/kv_cache.h on a GPU: the same entries after the same tokens, decided on the device.
///
///   cache->reset(window, nullptr, stream);
///   every step, of one token or of a chunk of `n`:
///     cache->reserve(n, layers, stream);                       // outside of a graph; mostly free of cost
///     in every layer: attention…(…, *cache, layer, …, stream); cache->append(layer, roles, keys, values, stream);
///     cache->finish_step(stream);
///   after the stream has passed finish_step: entries(), total_entries(), page_bytes(), failure() are of that step.
///
/// append and finish_step read lengths and positions on the device, allocate nothing and wait for nothing: recorded in
/// a graph they stay right while the cache grows. What append does nobody needs before the same layer's next attention,
/// so it may run on a branch of its own beside the rest of the step, one append at a time.
///
/// A head is a dense array on pages: its globals first, then its locals, then its sliding entries; globals and locals
/// in the order of their positions. Pages of all heads come from slabs, which only reserve() adds and only reset() and
/// the end of the object give back. One owner, one stream at a time.
///
/// Where scores are kept tokens come one by one, in every layer attention_decode, append (or append_token),
/// keep_by_scores; a finish_step after many of them does. Scores stand beside the pages: 4 bytes an entry that the
/// rule lets a head hold.
/// Under a rule of a prompt's end tokens may come in chunks; scores grow where a decode is asked for the token's own,
/// and once the prompt is read drop_entries drops what it is told. What goes leaves its place to the last one of its
/// role, or to one of the last ones, so globals and locals are in no particular order then.
class DeviceKvCache {
 public:
  /// `max_tokens`: the longest sequence that will come. limit_bytes of the shape bounds the slabs (0: the device's
  /// memory). Memory besides the slabs: 4 bytes a page that could be, 32 bytes a head, and for appends 8 bytes a
  /// sliding entry of as many layers as 32 MiB take, one at least. `allocator` null: CUDA's. Errors: invalid_argument
  /// (a size below 1), unsupported_shape (head_dim over 256, over 65535 KV heads), out_of_memory, backend_unavailable.
  static Status create(const KvCacheShape& shape, std::int64_t max_tokens, const DeviceAllocator* allocator,
                       std::unique_ptr<DeviceKvCache>& cache);
  ~DeviceKvCache();
  DeviceKvCache(const DeviceKvCache&) = delete;
  DeviceKvCache& operator=(const DeviceKvCache&) = delete;

  [[nodiscard]] const KvCacheShape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t max_tokens() const { return max_tokens_; }
  [[nodiscard]] std::int64_t window() const { return window_; }

  /// Drops everything and gives the slabs back; the next token is at position 0. Waits for the stream. A graph that was
  /// recorded before is not valid any more. `rule`: the rule from here on, and every entry has a score;
  /// null: no scores. Errors: invalid_argument (a rule below 0), out_of_memory.
  Status reset(std::int64_t window, const ScoreRule* rule, Stream stream);
  [[nodiscard]] bool keeps_scores() const { return arena_.most_scored > 0; }
  /// Whether entries may go after each token, which then come one by one.
  [[nodiscard]] bool takes_one_by_one() const {
    return keeps_scores() && arena_.entry_scores != EntryScores::of_prompt_end;
  }

  /// Promises pages for the next append of `tokens` tokens of each of `layers` layers, whatever their roles; every
  /// append needs such a promise before it, be it launched by a call or by a graph. Waits for the stream only when what
  /// was free when it last looked has been promised. Graphs that append stay valid when they append no more tokens than
  /// any reserve() before they were recorded asked for. Errors: out_of_memory, invalid_argument (over max_tokens).
  Status reserve(std::int64_t tokens, std::int64_t layers, Stream stream);

  /// The next n tokens of every KV head of a layer, and drops what no later query can see.
  ///   roles [kv_heads, n]; keys, values [kv_heads, n, head_dim] f32 on the device, head_dim dense, keys rotated
  /// A role over 2 counts as sliding. Cost: one kernel, a block a head; it writes only what stays, and looks at the
  /// sliding entries held. Errors: shape_mismatch, invalid_argument (no such layer; where scores are kept, more than
  /// one token).
  Status append(LayerId layer, ConstView<Role, 2> roles, ConstView<float, 3> keys, ConstView<float, 3> values,
                Stream stream);

  /// As append() of one token to each of the first `layers` layers, in as few kernels as there is room for.
  ///   roles [layers, kv_heads]; keys, values [layers, kv_heads, head_dim], head_dim dense
  /// Errors: shape_mismatch, invalid_argument (more layers than the cache's, nothing reserved).
  Status append_token(ConstView<Role, 2> roles, ConstView<float, 3> keys, ConstView<float, 3> values, Stream stream);

  /// After an append of one token to these layers, on the device: its score is that of `call`, H2O's rule drops an
  /// entry a head at most, and `call` is told which. One kernel, a block a head. Errors: shape_mismatch,
  /// invalid_argument (no scores are kept, layers over the cache's).
  Status keep_by_scores(const TokenDrops& call, Stream stream);

  /// Drops entries of all heads of some layers, which hold globals alone, on the device: see EntryDrops. One kernel, a
  /// block a head; it writes what moves. Pages that become empty can be used again after finish_step().
  /// Errors: shape_mismatch (also: not packed), invalid_argument (layers over the cache's).
  Status drop_entries(const EntryDrops& call, Stream stream);

  /// The scores of the first n entries of each head of a layer as they stand, by slot, which is the position of a
  /// global entry where nothing went. Done when the stream has passed it.
  ///   to_host [kv_heads, n], rows dense
  /// Errors: shape_mismatch, invalid_argument (no scores are kept, no such layer, more than a head can hold).
  Status read_scores(LayerId layer, View<float, 2> to_host, Stream stream) const;

  /// Pages that became empty can be used again from here on, and counts go to pinned memory.
  Status finish_step(Stream stream);

  /// As of the last finish_step that the stream has passed: entries held, by role (G, L, S), and all heads' sum.
  [[nodiscard]] std::int64_t entries(LayerId layer, KvHeadId kv_head) const;
  [[nodiscard]] std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) const;
  [[nodiscard]] std::int64_t total_entries() const;
  /// Position of the next token.
  [[nodiscard]] TokenPos next_position() const;
  /// Bytes of the pages in use: entries of every head rounded up to pages.
  [[nodiscard]] std::int64_t page_bytes() const;
  /// Whether every append since reset() found its pages and its place in the table. Errors: out_of_memory (reserve()
  /// was not asked for enough), and then the heads concerned miss tokens.
  [[nodiscard]] Status failure() const;

  /// Bytes of the slabs: what the allocator holds for keys and values.
  [[nodiscard]] std::int64_t allocated_bytes() const;

  /// Waits for the stream, and copies one head.
  Status read_head(LayerId layer, KvHeadId kv_head, HeadEntries& entries, Stream stream) const;

  /// For kernels: where everything is. Stays the same until reset(), or a reserve() of more tokens than any before.
  [[nodiscard]] const KvArena& arena() const { return arena_; }

 private:
  DeviceKvCache() = default;
  Status allocate(std::int64_t size_bytes, void** data) const;
  void release(void* data) const;
  void release_slabs();
  Status reserve_slots(std::int64_t tokens, Stream stream);
  Status add_slab(Stream stream);
  [[nodiscard]] const KvHeadState& mirrored(LayerId layer, KvHeadId kv_head) const;

  KvCacheShape shape_;
  std::int64_t max_tokens_ = 0;
  std::int64_t window_ = 0;
  std::int64_t known_free_ = 0;  ///< pages that are free whatever was appended since reserve() promised them
  DeviceAllocator allocator_;
  KvArena arena_;
  std::vector<void*> slabs_;
  void* tables_ = nullptr;
  void* moves_ = nullptr;
  void* slots_ = nullptr;
  void* scores_ = nullptr;
  PinnedMemory mirror_;
};

}  // namespace natscope::kernels::cuda
