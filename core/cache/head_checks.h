// SPDX-License-Identifier: GPL-3.0-or-later
/// Whether there is a layer, a head or a KV head, in the same words wherever one is named.
#pragma once

#include <string>

#include "core/base/expected.h"
#include "kernels/ids.h"

namespace natscope {

/// Errors: bad_layer.
[[nodiscard]] inline Expected<void> check_layer(LayerId layer, std::int32_t layers) {
  if (layer.value >= 0 && layer.value < layers) return {};
  return fail(ErrorCode::bad_layer, "there is no layer " + std::to_string(layer.value) + "; there are layers 0 to " +
                                        std::to_string(layers - 1));
}

/// Errors: bad_head.
[[nodiscard]] inline Expected<void> check_head(HeadId head, std::int32_t heads) {
  if (head.value >= 0 && head.value < heads) return {};
  return fail(ErrorCode::bad_head, "there is no head " + std::to_string(head.value) + "; a layer has heads 0 to " +
                                       std::to_string(heads - 1));
}

/// Errors: bad_head.
[[nodiscard]] inline Expected<void> check_kv_head(KvHeadId head, std::int32_t kv_heads) {
  if (head.value >= 0 && head.value < kv_heads) return {};
  return fail(ErrorCode::bad_head, "there is no KV head " + std::to_string(head.value) +
                                       "; a layer has KV heads 0 to " + std::to_string(kv_heads - 1));
}

}  // namespace natscope
