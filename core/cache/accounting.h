// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "kernels/element_type.h"
#include "kernels/token_roles.h"

namespace natscope {

/// What one held entry costs and how many heads there are. Source: section 5 of the rules.
struct CacheGeometry {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  kernels::ElementType dtype = kernels::ElementType::f32;

  /// Bytes of one entry: a key and a value.
  [[nodiscard]] constexpr std::int64_t entry_bytes() const {
    return 2 * std::int64_t{head_dim} * kernels::element_bytes(dtype);
  }
};

/// The three numbers of a cache, never mixed up, after `tokens` tokens.
struct CacheCounts {
  std::int64_t tokens = 0;
  std::int64_t entries = 0;          ///< held, over all layers and KV heads
  std::int64_t dense_bytes = 0;      ///< what full attention would hold
  std::int64_t live_bytes = 0;       ///< entries · entry_bytes
  std::int64_t allocated_bytes = 0;  ///< read from the allocator: pages, whole
  double fraction = 0;               ///< entries / (tokens · layers · kv_heads); 0 before the first token
  /// (W + n_global + n_local held) / T, mean over heads; not capped; equal to `fraction` without a window rule.
  double paper_fraction = 0;

  friend bool operator==(const CacheCounts&, const CacheCounts&) = default;
};

/// `paper_entries`: the sum over heads of W + held globals + held locals, or nothing where the paper's figure equals
/// ours (full, policies without roles, models without score layers).
[[nodiscard]] CacheCounts count_cache(const CacheGeometry& geometry, std::int64_t tokens, std::int64_t entries,
                                      std::int64_t allocated_bytes, std::optional<std::int64_t> paper_entries);

}  // namespace natscope
