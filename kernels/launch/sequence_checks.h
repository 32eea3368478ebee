// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "kernels/launch/argument_checks.h"

/// What every backend asks of a decode's and a prefill's arguments: shapes only, for the arrays may be a device's.
namespace natscope::kernels::launch {

[[nodiscard]] inline Status check_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key,
                                         ConstView<float, 2> self_value, const KvCacheShape& cache, LayerId layer,
                                         View<float, 2> out, std::span<float> lse, std::span<float> self_scores) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t head_dim = queries.size(1);
  const std::int64_t kv_heads = cache.kv_heads;
  if (const Status status = check_cache(cache, layer, heads, head_dim); !status.ok()) return status;
  if (!has_sizes(self_key, {kv_heads, head_dim})) return {StatusCode::shape_mismatch, "self_key: [kv_heads, head_dim]"};
  if (!has_sizes(self_value, {kv_heads, head_dim}))
    return {StatusCode::shape_mismatch, "self_value: [kv_heads, head_dim]"};
  if (!has_sizes(out, {heads, head_dim})) return {StatusCode::shape_mismatch, "out: [heads, head_dim]"};
  if (!is_dense(queries) || !is_dense(self_key) || !is_dense(self_value) || !is_dense(out)) {
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  }
  if (static_cast<std::int64_t>(lse.size()) != heads) return {StatusCode::shape_mismatch, "lse: [heads]"};
  if (!self_scores.empty() && static_cast<std::int64_t>(self_scores.size()) != kv_heads) {
    return {StatusCode::shape_mismatch, "self_scores: [kv_heads] or empty"};
  }
  return {};
}

[[nodiscard]] inline Status check_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys,
                                          ConstView<float, 3> values, ConstView<Role, 2> roles,
                                          const KvCacheShape& cache, LayerId layer, TokenPos first, View<float, 3> out,
                                          View<float, 2> lse) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t chunk = queries.size(1);
  const std::int64_t head_dim = queries.size(2);
  const std::int64_t kv_heads = cache.kv_heads;
  if (const Status status = check_cache(cache, layer, heads, head_dim); !status.ok()) return status;
  if (!has_sizes(keys, {kv_heads, chunk, head_dim}))
    return {StatusCode::shape_mismatch, "keys: [kv_heads, C, head_dim]"};
  if (!has_sizes(values, {kv_heads, chunk, head_dim}))
    return {StatusCode::shape_mismatch, "values: [kv_heads, C, head_dim]"};
  if (!has_sizes(roles, {kv_heads, chunk})) return {StatusCode::shape_mismatch, "roles: [kv_heads, C]"};
  if (!has_sizes(out, {heads, chunk, head_dim})) return {StatusCode::shape_mismatch, "out: [heads, C, head_dim]"};
  if (!has_sizes(lse, {heads, chunk})) return {StatusCode::shape_mismatch, "lse: [heads, C]"};
  if (!is_dense(queries) || !is_dense(keys) || !is_dense(values) || !is_dense(out)) {
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  }
  if (first.value < 0 || first.value > std::numeric_limits<std::int32_t>::max() - chunk - 1) {
    return {StatusCode::invalid_argument, "first: position out of range"};
  }
  return {};
}

}  // namespace natscope::kernels::launch
