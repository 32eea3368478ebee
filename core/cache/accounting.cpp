// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/accounting.h"

namespace natscope {

CacheCounts count_cache(const CacheGeometry& geometry, std::int64_t tokens, std::int64_t entries,
                        std::int64_t allocated_bytes, std::optional<std::int64_t> paper_entries) {
  const std::int64_t dense_entries = tokens * geometry.layers * geometry.kv_heads;
  CacheCounts counts;
  counts.tokens = tokens;
  counts.entries = entries;
  counts.dense_bytes = dense_entries * geometry.entry_bytes();
  counts.live_bytes = entries * geometry.entry_bytes();
  counts.allocated_bytes = allocated_bytes;
  if (dense_entries > 0) {
    const auto dense = static_cast<double>(dense_entries);
    counts.fraction = static_cast<double>(entries) / dense;
    counts.paper_fraction = static_cast<double>(paper_entries.value_or(entries)) / dense;
  }
  return counts;
}

}  // namespace natscope
