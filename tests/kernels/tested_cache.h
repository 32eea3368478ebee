// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/kv_cache.h"

/// The device's cache as the tests call it, whoever runs its arithmetic: as in tested_backend.h, the file that a
/// program is linked with says whether that is a GPU or a loop on the host.
namespace natscope::test {

/// One step's tokens of one layer: roles [kv_heads, n]; keys, values [kv_heads, n, head_dim].
struct AppendedStep {
  LayerId layer;
  std::int64_t count = 0;
  std::vector<Role> roles;
  std::vector<float> keys;
  std::vector<float> values;
};

/// H2O's part of a step of the layers from `layer` on: self_scores, prescribed [layers, kv_heads], and what came of it.
struct DropStep {
  LayerId layer;
  std::vector<float> self_scores;
  std::vector<std::int32_t> prescribed;
  std::vector<std::int32_t> dropped;
  std::vector<std::int32_t> held;
};

/// EntryDrops of some layers: kept, moves [layers, kv_heads], from, to [layers, kv_heads, most].
struct EntryStep {
  LayerId layer;
  std::int64_t most = 0;
  std::vector<std::int32_t> kept;
  std::vector<std::int32_t> moves;
  std::vector<std::int32_t> from;
  std::vector<std::int32_t> to;
};

/// Pages as the cache counts them.
struct PageCounts {
  std::int64_t in_use = 0;
  std::int64_t in_slabs = 0;
};

class TestedCache {
 public:
  virtual ~TestedCache() = default;
  virtual kernels::Status reserve(std::int64_t tokens, std::int64_t layers) = 0;
  virtual kernels::Status append(const AppendedStep& step) = 0;
  /// One token each of the first layers, in their order.
  virtual kernels::Status append_token(const std::vector<AppendedStep>& layers) = 0;
  virtual kernels::Status keep_by_scores(DropStep& step) = 0;
  virtual kernels::Status drop_entries(const EntryStep& step) = 0;
  /// Returns what DeviceKvCache::failure() says, or that a guard zone was written.
  virtual kernels::Status finish_step() = 0;
  virtual kernels::cuda::HeadEntries read(LayerId layer, KvHeadId kv_head) = 0;
  virtual std::array<std::int64_t, role_count> entries_by_role(LayerId layer, KvHeadId kv_head) = 0;
  virtual PageCounts pages() = 0;
};

struct CacheBackend {
  std::string name;
  std::function<std::unique_ptr<TestedCache>(const kernels::KvCacheShape&, std::int64_t max_tokens, std::int64_t window,
                                             const kernels::ScoreRule* rule)>
      create;
};

[[nodiscard]] std::vector<CacheBackend> cache_backends();

}  // namespace natscope::test
