// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/explore/attention_tile.h"
#include "core/explore/sequence_record.h"
#include "kernels/views.h"

namespace natscope {

/// The explorer's memory: rotated queries, keys and each row's log-sum-exp of the layers it has room for, in host
/// memory, so that any rectangle of any head's map can be computed alone. It is never counted as cache.
///
/// Layers are kept whole or not at all, under `budget_bytes`: when the next token would not fit, the layer with the
/// highest number is given up, until the next clear(). A layer that is not here is recomputed by the engine, replaying
/// the tokens with their recorded roles.
///
/// One writer (the engine's thread), any number of readers. Rows never move once written, so a reader that computes a
/// tile never makes the writer wait.
class TraceStore {
 public:
  /// `max_tokens`: the longest sequence; address space is set aside for it, memory only as tokens come. `only`: the one
  /// layer that is kept; all others are given up from the beginning.
  TraceStore(CacheGeometry geometry, std::int32_t heads, std::int64_t budget_bytes,
             std::int64_t max_tokens = 1LL << 20U, std::optional<LayerId> only = {});
  ~TraceStore();

  void clear();

  /// Adds tokens first … first + n - 1 of a layer.
  ///   queries [heads, n, head_dim], keys [kv_heads, n, head_dim] f32 rotated, lse [heads, n]
  /// Kept in the cache's dtype. Errors: internal (out of order); running out of the budget is not an error.
  [[nodiscard]] Expected<void> append(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                      kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse);

  /// Whether append() of a layer has a place to put rows: there is room for one token at all, and the layer was not
  /// given up. Once false it stays so until clear(). The writer's thread only.
  [[nodiscard]] bool keeps(LayerId layer) const { return !slots_[static_cast<std::size_t>(layer.value)].given_up; }

  /// Forgets tokens from `tokens` on, of every layer: a pass that did not come to its end. No reader may draw beyond
  /// them.
  void truncate(std::int64_t tokens);

  [[nodiscard]] bool has(LayerId layer) const;
  [[nodiscard]] std::int64_t tokens(LayerId layer) const;
  [[nodiscard]] std::int64_t used_bytes() const;
  [[nodiscard]] std::int32_t layers() const { return geometry_.layers; }
  [[nodiscard]] std::int64_t budget_bytes() const { return budget_bytes_; }

  /// The map is as long as the shorter of what is stored and `last_query` [T], which is of the tile's KV head, as
  /// SequenceRecord keeps it. Errors: bad_layer (no such layer, or it was given up: see has()), bad_head, bad_position
  /// (beyond the map, or no such zoom), out_of_memory, interrupted. A tile that covers the whole map has its summary,
  /// compared with the run whose `other_last_query` is given, of the tokens that both have.
  [[nodiscard]] Expected<AttentionTile> tile(const TileKey& key, std::span<const std::int32_t> last_query,
                                             std::stop_token stop = {},
                                             std::span<const std::int32_t> other_last_query = {}) const;

  /// The weights of queries first_query … and keys first_key …, written to out [queries, keys]; masked cells are
  /// exactly 0. visible [queries, keys] receives 1 where the mask lets the query see the key; may have data == nullptr.
  /// Errors as tile.
  [[nodiscard]] Expected<void> weights(LayerId layer, HeadId head, TokenPos first_query, TokenPos first_key,
                                       std::span<const std::int32_t> last_query, kernels::View<float, 2> out,
                                       kernels::View<std::uint8_t, 2> visible, std::stop_token stop = {}) const;

 private:
  struct LayerRows;  // what one layer keeps; shared with readers that are drawing from it

  struct Slot {
    std::shared_ptr<LayerRows> rows;  // null: nothing yet, or given up
    std::int64_t tokens = 0;
    bool given_up = false;
  };

  /// One head's rows and how many there are; the pointer keeps them alive.
  struct Source;
  [[nodiscard]] Expected<Source> source(LayerId layer, HeadId head, std::span<const std::int32_t> last_query) const;
  [[nodiscard]] static Expected<std::optional<AttentionSummary>> summary(const Source& from,
                                                                         std::span<const std::int32_t> other_last_query,
                                                                         const std::stop_token& stop);
  [[nodiscard]] std::int64_t row_bytes() const;
  [[nodiscard]] std::int64_t token_bytes() const;
  [[nodiscard]] std::int64_t used_bytes_locked() const { return stored_tokens_ * token_bytes(); }
  void give_up(Slot& slot);
  bool make_room(LayerId layer, std::int64_t tokens);

  CacheGeometry geometry_;
  std::int32_t heads_ = 0;
  std::int64_t budget_bytes_ = 0;
  std::int64_t max_tokens_ = 0;
  std::optional<LayerId> only_;
  mutable std::mutex mutex_;        // holds slots_ only, never while rows are read or written
  std::vector<Slot> slots_;         // changed by the writer only, which therefore reads without the lock
  std::int64_t stored_tokens_ = 0;  // of all slots
};

}  // namespace natscope
