// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "kernels/attention_tile.h"
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
[[nodiscard]] inline Status check_cache(const KvCache& cache, LayerId layer, std::int64_t heads,
                                        std::int64_t head_dim) {
  const KvCacheShape& shape = cache.shape();
  if (layer.value < 0 || layer.value >= shape.layers) return {StatusCode::invalid_argument, "layer: not in the cache"};
  if (heads < 1 || heads % shape.kv_heads != 0)
    return {StatusCode::shape_mismatch, "heads: not a multiple of kv_heads"};
  if (head_dim != shape.head_dim) return {StatusCode::shape_mismatch, "queries: head_dim is not the cache's"};
  return {};
}

/// Whether the arrays a map is computed from have one row a token.
[[nodiscard]] inline Status check_map(const AttentionMapSource& source) {
  const std::int64_t tokens = source.queries.rows;
  if (tokens < 0 || source.keys.rows != tokens) return {StatusCode::shape_mismatch, "keys: one row a query"};
  if (source.queries.cols < 1 || source.keys.cols != source.queries.cols)
    return {StatusCode::shape_mismatch, "keys: head_dim of the queries"};
  if (source.queries.row_stride < source.queries.cols || source.keys.row_stride < source.keys.cols) {
    return {StatusCode::shape_mismatch, "row_stride: at least head_dim"};
  }
  if (static_cast<std::int64_t>(source.lse.size()) != tokens) return {StatusCode::shape_mismatch, "lse: [T]"};
  if (static_cast<std::int64_t>(source.last_query.size()) != tokens)
    return {StatusCode::shape_mismatch, "last_query: [T]"};
  return {};
}

}  // namespace natscope::kernels::launch
