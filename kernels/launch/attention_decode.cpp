// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_decode.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/sequence_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status attention_decode(Backend backend, ConstView<float, 2> queries, ConstView<float, 2> self_key,
                        ConstView<float, 2> self_value, const KvCache& cache, LayerId layer, View<float, 2> out,
                        std::span<float> lse, std::span<float> self_scores) {
  if (const Status status =
          launch::check_decode(queries, self_key, self_value, cache.shape(), layer, out, lse, self_scores);
      !status.ok()) {
    return status;
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
