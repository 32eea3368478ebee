// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/query_block.h"
#include "kernels/kv_cache.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

namespace natscope::kernels::cpu {

/// One key that queries of a chunk may see, and the span of positions whose queries do.
struct PrefillKey {
  const void* key = nullptr;    ///< [head_dim]
  const void* value = nullptr;  ///< [head_dim]
  std::int32_t position = 0;    ///< the first query that sees it, if it is in the chunk; before the chunk otherwise
  std::int32_t last = 0;        ///< the last query that sees it
  bool in_chunk = false;        ///< key and value are the caller's f32; otherwise of the cache's dtype
};

/// A run of places in PrefillKeys, and the part of it that every query of a block sees.
struct PrefillRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t full_begin = 0;
  std::int64_t full_end = 0;
};

/// The keys of one KV head in an order that makes what a block of queries sees three runs: globals, locals, sliding
/// ones, each from old to new. Among each of the three both `position` and `last` grow, so a run is found by two
/// searches. Each of the three begins at a multiple of key_block; the places before the next one are seen by nobody.
class PrefillKeys {
 public:
  PrefillKeys(ConstView<float, 3> keys, ConstView<float, 3> values, ConstView<Role, 2> roles, const KvCache& cache,
              LayerId layer, KvHeadId kv_head, TokenPos first);

  [[nodiscard]] const PrefillKey& operator[](std::int64_t place) const {
    return keys_[static_cast<std::size_t>(place)];
  }
  /// What queries first … last (positions) see of one role.
  [[nodiscard]] PrefillRange range(Role role, std::int64_t first, std::int64_t last) const;

 private:
  std::vector<PrefillKey> keys_;
  std::array<std::int64_t, role_count> begin_{};
  std::array<std::int64_t, role_count> end_{};
};

}  // namespace natscope::kernels::cpu
