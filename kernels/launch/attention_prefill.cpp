// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_prefill.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/sequence_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status attention_prefill(Backend backend, ConstView<float, 3> queries, ConstView<float, 3> keys,
                         ConstView<float, 3> values, ConstView<Role, 2> roles, const KvCache& cache, LayerId layer,
                         TokenPos first, View<float, 3> out, View<float, 2> lse, const std::stop_token& stop) {
  if (const Status status = launch::check_prefill(queries, keys, values, roles, cache.shape(), layer, first, out, lse);
      !status.ok()) {
    return status;
  }
  for (std::int64_t head = 0; head < roles.size(0); ++head) {
    for (std::int64_t n = 0; n < roles.size(1); ++n) {
      if (static_cast<int>(roles(head, n)) >= role_count) return {StatusCode::invalid_argument, "roles: 0, 1 or 2"};
    }
  }
  switch (backend) {
    case Backend::ref:
      return ref::attention_prefill(queries, keys, values, roles, cache, layer, first, out, lse);
    case Backend::cpu:
      return cpu::attention_prefill(queries, keys, values, roles, cache, layer, first, out, lse, stop);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "attention_prefill"};
}

}  // namespace natscope::kernels
