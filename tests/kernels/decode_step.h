// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "kernels/attention_decode.h"
#include "tests/kernels/attention_case.h"

namespace natscope::test {

/// What one token brings to a decode.
struct DecodeStep {
  std::vector<float> queries;  // [heads, head_dim]
  std::vector<float> key;      // [kv_heads, head_dim]
  std::vector<float> value;
};

inline DecodeStep step_at(const AttentionCase& c, std::int64_t t) {
  DecodeStep step;
  const auto gather = [&](const std::vector<float>& from, std::int64_t heads, std::vector<float>& to) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const auto begin = from.begin() + (head * c.tokens + t) * c.head_dim;
      to.insert(to.end(), begin, begin + c.head_dim);
    }
  };
  gather(c.queries, c.heads, step.queries);
  gather(c.keys, c.kv_heads, step.key);
  gather(c.values, c.kv_heads, step.value);
  return step;
}

inline kernels::Status decode(kernels::Backend backend, const AttentionCase& c, const DecodeStep& step,
                              const kernels::KvCache& cache, GuardedArray& out, GuardedArray& lse,
                              std::span<float> self_scores = {}) {
  return kernels::attention_decode(
      backend, kernels::ConstView<float, 2>::packed(step.queries.data(), {c.heads, c.head_dim}),
      kernels::ConstView<float, 2>::packed(step.key.data(), {c.kv_heads, c.head_dim}),
      kernels::ConstView<float, 2>::packed(step.value.data(), {c.kv_heads, c.head_dim}), cache, LayerId(0),
      kernels::View<float, 2>::packed(out.data(), {c.heads, c.head_dim}), lse.span(), self_scores);
}

}  // namespace natscope::test
