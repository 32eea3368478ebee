// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/ids.h"
#include "kernels/score_rule.h"
#include "kernels/status.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope::kernels {

/// Dimensions of a cache. `page_entries` is how many entries one page holds: memory is rounded up to it, head by head.
/// `limit_bytes` is the most that all pages together may take; 0: what the machine has.
struct KvCacheShape {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  ElementType dtype = ElementType::f32;
  std::int32_t page_entries = 32;
  std::int64_t limit_bytes = 0;
};

/// One page as a kernel reads it: `count` entries without holes, in no particular order.
///   keys, values [count, head_dim] packed, of the cache's dtype; positions, roles, scores [count]
struct KvPage {
  const void* keys = nullptr;
  const void* values = nullptr;
  const std::int32_t* positions = nullptr;
  const Role* roles = nullptr;
  float* scores = nullptr;  ///< sums of attention weights (EntryScores); null when scores are not kept
  std::int32_t count = 0;
};

/// The keys and values a model still holds: per (layer, KV head) a dense array of entries on fixed-size pages.
///
/// The invariant: after `append` up to token t, a head holds exactly the entries that query t + 1 can see (the rules,
/// section 5). So a decode needs no mask. Dropping an entry moves the last one into its place; an empty page is given
/// back at once, so allocated_bytes() is entries rounded up to pages, and nothing else.
///
/// One owner, one thread at a time per layer; different (layer, KV head) pairs may be appended to from different
/// threads.
class KvCache {
 public:
  /// Errors: invalid_argument (a size below 1), unsupported_shape (head_dim over 256), unsupported_dtype (f16),
  /// out_of_memory.
  static Status create(const KvCacheShape& shape, std::unique_ptr<KvCache>& cache);
  virtual ~KvCache() = default;

  [[nodiscard]] virtual const KvCacheShape& shape() const = 0;

  /// Drops everything; the next token is at position 0. `window` (at least 0) is W from here on; `keep_scores` gives
  /// every entry a score, 0 at first, to which attention_decode adds.
  virtual void reset(std::int64_t window, bool keep_scores) = 0;
  [[nodiscard]] virtual std::int64_t window() const = 0;

  /// Adds tokens first … first + n - 1 of one head and drops what query first + n cannot see any more.
  ///   roles [n]; keys, values [n, head_dim] f32, head_dim dense, keys rotated to their positions; n >= 0
  /// Tokens come in order: `first` is the position after the last one appended.
  /// Cost: writes only what stays; drops in time proportional to what is dropped.
  /// Errors: shape_mismatch, invalid_argument (first out of order, a role over 2), out_of_memory (the head is as it
  /// was).
  virtual Status append(LayerId layer, KvHeadId kv_head, TokenPos first, std::span<const Role> roles,
                        ConstView<float, 2> keys, ConstView<float, 2> values) = 0;

  /// The rule of ScoreRule after query `now`, by the scores as they stand. `dropped` (may be null) receives the
  /// positions that went. Errors: invalid_argument (scores are not kept).
  virtual Status keep_by_scores(LayerId layer, KvHeadId kv_head, TokenPos now, std::int64_t heavy, std::int64_t recent,
                                std::vector<TokenPos>* dropped) = 0;
  /// Sets the score of one held entry: the new token's own weights, right after it was appended. Cost: one look
  /// for the newest entry. Errors: invalid_argument (scores are not kept, no such entry).
  virtual Status set_score(LayerId layer, KvHeadId kv_head, TokenPos position, float score) = 0;
  /// Gives every entry of the layer the sum of the scores that its position has in all heads (EntryScores of the last
  /// query). Errors: invalid_argument (scores are not kept; the heads do not hold the same positions).
  virtual Status share_scores(LayerId layer) = 0;
  /// Drops entries of one head. Cost: one look for each while every position is in its own slot, as it is until
  /// something goes, and the newest; else a search. Errors: invalid_argument (a position is not held, or twice among
  /// them; nothing goes then), out_of_memory.
  virtual Status drop(LayerId layer, KvHeadId kv_head, std::span<const TokenPos> positions) = 0;
  /// Makes every score of the layer 0: what is added from here on is the next query's alone. Errors: as share_scores.
  virtual Status clear_scores(LayerId layer) = 0;

  /// Entries held by one head, and their sum.
  [[nodiscard]] virtual std::int64_t entries(LayerId layer, KvHeadId kv_head) const = 0;
  [[nodiscard]] virtual std::int64_t total_entries() const = 0;
  /// Bytes the allocator holds for keys and values: pages, whole, each a multiple of 64 bytes.
  [[nodiscard]] virtual std::int64_t allocated_bytes() const = 0;
  /// Entries by role of one head: G, L, S.
  [[nodiscard]] virtual std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) const = 0;

  [[nodiscard]] virtual std::int64_t page_count(LayerId layer, KvHeadId kv_head) const = 0;
  [[nodiscard]] virtual KvPage page(LayerId layer, KvHeadId kv_head, std::int64_t index) const = 0;
};

}  // namespace natscope::kernels
