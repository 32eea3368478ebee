// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_prefill.h"

#include <limits>

#include "kernels/cpu/operations.h"
#include "kernels/launch/argument_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status attention_prefill(Backend backend, ConstView<float, 3> queries, ConstView<float, 3> keys,
                         ConstView<float, 3> values, ConstView<Role, 2> roles, const KvCache& cache, LayerId layer,
                         TokenPos first, View<float, 3> out, View<float, 2> lse) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t chunk = queries.size(1);
  const std::int64_t head_dim = queries.size(2);
  const std::int64_t kv_heads = cache.shape().kv_heads;
  if (const Status status = launch::check_cache(cache, layer, heads, head_dim); !status.ok()) return status;
  if (!launch::has_sizes(keys, {kv_heads, chunk, head_dim}))
    return {StatusCode::shape_mismatch, "keys: [kv_heads, C, head_dim]"};
  if (!launch::has_sizes(values, {kv_heads, chunk, head_dim}))
    return {StatusCode::shape_mismatch, "values: [kv_heads, C, head_dim]"};
  if (!launch::has_sizes(roles, {kv_heads, chunk})) return {StatusCode::shape_mismatch, "roles: [kv_heads, C]"};
  if (!launch::has_sizes(out, {heads, chunk, head_dim}))
    return {StatusCode::shape_mismatch, "out: [heads, C, head_dim]"};
  if (!launch::has_sizes(lse, {heads, chunk})) return {StatusCode::shape_mismatch, "lse: [heads, C]"};
  if (!launch::is_dense(queries) || !launch::is_dense(keys) || !launch::is_dense(values) || !launch::is_dense(out)) {
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  }
  if (first.value < 0 || first.value > std::numeric_limits<std::int32_t>::max() - chunk - 1) {
    return {StatusCode::invalid_argument, "first: position out of range"};
  }
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    for (std::int64_t n = 0; n < chunk; ++n) {
      if (static_cast<int>(roles(head, n)) >= role_count) return {StatusCode::invalid_argument, "roles: 0, 1 or 2"};
    }
  }
  switch (backend) {
    case Backend::ref:
      return ref::attention_prefill(queries, keys, values, roles, cache, layer, first, out, lse);
    case Backend::cpu:
      return cpu::attention_prefill(queries, keys, values, roles, cache, layer, first, out, lse);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "attention_prefill"};
}

}  // namespace natscope::kernels
