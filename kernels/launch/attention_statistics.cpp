// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_statistics.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/map_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status row_statistics(Backend backend, const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out) {
  if (const Status status = launch::check_statistics(source, first_query, other_last_query, out); !status.ok())
    return status;
  switch (backend) {
    case Backend::ref:
      return ref::row_statistics(source, first_query, other_last_query, out);
    case Backend::cpu:
      return cpu::row_statistics(source, first_query, other_last_query, out);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "row_statistics"};
}

}  // namespace natscope::kernels
