// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "kernels/kv_cache.h"
#include "kernels/status.h"
#include "kernels/views.h"

/// What several operations ask of their arguments before any of it is touched.
namespace natscope::kernels::launch {

template <class T, int Rank>
[[nodiscard]] bool has_sizes(const View<T, Rank>& view, std::array<std::int64_t, Rank> sizes) {
  return view.sizes == sizes;
}

/// Whether the last axis is dense, as the inner loops assume.
template <class T, int Rank>
[[nodiscard]] bool is_dense(const View<T, Rank>& view) {
  return view.stride(Rank - 1) == 1 || view.size(Rank - 1) <= 1;
}

/// Whether the layer is in the cache, and `heads` query heads of `head_dim` fit its KV heads.
[[nodiscard]] inline Status check_cache(const KvCacheShape& shape, LayerId layer, std::int64_t heads,
                                        std::int64_t head_dim) {
  if (layer.value < 0 || layer.value >= shape.layers) return {StatusCode::invalid_argument, "layer: not in the cache"};
  if (heads < 1 || heads % shape.kv_heads != 0)
    return {StatusCode::shape_mismatch, "heads: not a multiple of kv_heads"};
  if (head_dim != shape.head_dim) return {StatusCode::shape_mismatch, "queries: head_dim is not the cache's"};
  return {};
}

}  // namespace natscope::kernels::launch
