// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_decode.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/argument_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status attention_decode(Backend backend, ConstView<float, 2> queries, ConstView<float, 2> self_key,
                        ConstView<float, 2> self_value, const KvCache& cache, LayerId layer, View<float, 2> out,
                        std::span<float> lse, std::span<float> self_scores) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t head_dim = queries.size(1);
  const std::int64_t kv_heads = cache.shape().kv_heads;
  if (const Status status = launch::check_cache(cache, layer, heads, head_dim); !status.ok()) return status;
  if (!launch::has_sizes(self_key, {kv_heads, head_dim}))
    return {StatusCode::shape_mismatch, "self_key: [kv_heads, head_dim]"};
  if (!launch::has_sizes(self_value, {kv_heads, head_dim}))
    return {StatusCode::shape_mismatch, "self_value: [kv_heads, head_dim]"};
  if (!launch::has_sizes(out, {heads, head_dim})) return {StatusCode::shape_mismatch, "out: [heads, head_dim]"};
  if (!launch::is_dense(queries) || !launch::is_dense(self_key) || !launch::is_dense(self_value) ||
      !launch::is_dense(out)) {
    return {StatusCode::shape_mismatch, "head_dim: neighbours in memory"};
  }
  if (static_cast<std::int64_t>(lse.size()) != heads) return {StatusCode::shape_mismatch, "lse: [heads]"};
  if (!self_scores.empty() && static_cast<std::int64_t>(self_scores.size()) != kv_heads) {
    return {StatusCode::shape_mismatch, "self_scores: [kv_heads] or empty"};
  }
  switch (backend) {
    case Backend::ref:
      return ref::attention_decode(queries, self_key, self_value, cache, layer, out, lse, self_scores);
    case Backend::cpu:
      return cpu::attention_decode(queries, self_key, self_value, cache, layer, out, lse, self_scores);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "attention_decode"};
}

}  // namespace natscope::kernels
