// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_statistics.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/map_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status row_statistics(Backend backend, const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight) {
  if (const Status status = launch::check_statistics(source, first_query, entropy, sink_weight, self_weight);
      !status.ok()) {
    return status;
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
