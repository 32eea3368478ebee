// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_statistics.h"

#include <algorithm>

#include "kernels/cpu/operations.h"
#include "kernels/launch/argument_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status row_statistics(Backend backend, const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight) {
  if (const Status status = launch::check_map(source); !status.ok()) return status;
  const std::size_t count = std::max({entropy.size(), sink_weight.size(), self_weight.size()});
  for (const std::span<float> output : {entropy, sink_weight, self_weight}) {
    if (!output.empty() && output.size() != count)
      return {StatusCode::shape_mismatch, "entropy, sink_weight, self_weight: [count] or empty"};
  }
  if (first_query.value < 0) return {StatusCode::invalid_argument, "first_query: not below 0"};
  if (first_query.value + static_cast<std::int64_t>(count) > source.queries.rows) {
    return {StatusCode::shape_mismatch, "count: more queries than the map has"};
  }
  switch (backend) {
    case Backend::ref:
      return ref::row_statistics(source, first_query, entropy, sink_weight, self_weight);
    case Backend::cpu:
      return cpu::row_statistics(source, first_query, entropy, sink_weight, self_weight);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "row_statistics"};
}

}  // namespace natscope::kernels
