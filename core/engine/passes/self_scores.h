// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>

#include "core/base/expected.h"
#include "core/cache/kernel_status.h"
#include "kernels/kv_cache.h"

namespace natscope {

/// Gives the token at `position`, just appended to every head of a layer, the attention weights that it put on itself.
///   roles, scores [kv_heads]
[[nodiscard]] inline Expected<void> set_self_scores(kernels::KvCache& cache, LayerId layer, TokenPos position,
                                                    std::span<const Role> roles, std::span<const float> scores) {
  for (std::size_t head = 0; head < scores.size(); ++head) {
    if (roles[head] == Role::sliding && cache.window() == 0) continue;  // forced so by hand: it is gone already
    const auto kv_head = KvHeadId(static_cast<std::int32_t>(head));
    NATSCOPE_CHECK(from_status(cache.set_score(layer, kv_head, position, scores[head]), "cache"));
  }
  return {};
}

}  // namespace natscope
