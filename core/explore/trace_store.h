// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/explore/attention_tile.h"
#include "core/explore/sequence_record.h"
#include "kernels/views.h"

namespace natscope {

/// The explorer's memory: rotated queries, keys and each row's log-sum-exp of the layers it has room for, in host memory,
/// so that any rectangle of any head's map can be computed alone. It is never counted as cache.
///
/// Layers are kept whole or not at all, under `budget_bytes`: when the next token would not fit, the layer with the highest
/// number is given up. A layer that is not here is recomputed by the engine, replaying the tokens with their recorded roles.
/// One writer (the engine's thread), any number of readers: every member locks.
class TraceStore {
 public:
  TraceStore(CacheGeometry geometry, std::int32_t heads, std::int64_t budget_bytes);

  void clear();

  /// Adds tokens first … first + n - 1 of a layer.
  ///   queries [heads, n, head_dim], keys [kv_heads, n, head_dim] f32 rotated, lse [heads, n]
  /// Kept in the cache's dtype. Errors: internal (out of order); running out of the budget is not an error.
  [[nodiscard]] Expected<void> append(LayerId layer, TokenPos first, kernels::ConstView<float, 3> queries,
                                      kernels::ConstView<float, 3> keys, kernels::ConstView<float, 2> lse);

  [[nodiscard]] bool has(LayerId layer) const;
  [[nodiscard]] std::int64_t tokens(LayerId layer) const;
  [[nodiscard]] std::int64_t used_bytes() const;
  [[nodiscard]] std::int64_t budget_bytes() const;

  /// Errors: bad_layer, bad_head, bad_position (beyond the sequence), not_in_store (the layer was given up).
  /// last_query [T] of the tile's KV head, as SequenceRecord keeps it (at least as long as what is stored is drawn to its end;
  /// shorter: the map ends there).
  [[nodiscard]] Expected<AttentionTile> tile(const TileKey& key, std::span<const std::int32_t> last_query) const;

  /// The weights of queries first_query … and keys first_key …, written to out [queries, keys]; masked cells are exactly 0.
  /// visible [queries, keys] receives 1 where the mask lets the query see the key; may have data == nullptr. Errors as tile.
  [[nodiscard]] Expected<void> weights(LayerId layer, HeadId head, TokenPos first_query, TokenPos first_key,
                                       std::span<const std::int32_t> last_query, kernels::View<float, 2> out, kernels::View<std::uint8_t, 2> visible) const;

 private:
  struct LayerRows;
  CacheGeometry geometry_;
  std::int32_t heads_ = 0;
  std::int64_t budget_bytes_ = 0;
  mutable std::shared_mutex mutex_;
  std::vector<std::unique_ptr<LayerRows>> layers_;

 public:
  ~TraceStore();
};

}  // namespace natscope
