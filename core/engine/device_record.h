// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "core/model/config.h"
#include "kernels/token_roles.h"

namespace natscope {

/// Where in a piece of memory lies what the observer is shown of one layer of a pass of n tokens. On the device and on
/// the host alike, so that layers that lie one after the other come down in one copy. All in bytes, aligned to 256.
///   queries [n, heads, head_dim], keys [n, kv_heads, head_dim], lse [heads, n], scores [n, 3 · kv_heads] f32
///   roles   [kv_heads, n]
struct DeviceRecordLayout {
  DeviceRecordLayout() = default;
  DeviceRecordLayout(const ModelConfig& config, std::int64_t n) {
    constexpr std::int64_t number_bytes = sizeof(float);
    queries = take(n * config.q_rows() * number_bytes);
    keys = take(n * config.kv_rows() * number_bytes);
    lse = take(n * config.heads * number_bytes);
    scores = take(n * config.score_rows() * number_bytes);
    roles = take(n * config.kv_heads * static_cast<std::int64_t>(sizeof(Role)));
  }

  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t lse = 0;
  std::int64_t scores = 0;
  std::int64_t roles = 0;
  std::int64_t size_bytes = 0;  ///< from one layer to the next

 private:
  std::int64_t take(std::int64_t part_bytes) {
    constexpr std::int64_t alignment = 256;
    const std::int64_t at = size_bytes;
    size_bytes += (part_bytes + alignment - 1) / alignment * alignment;
    return at;
  }
};

}  // namespace natscope
