// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_tile.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/map_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

Status attention_tile(Backend backend, const AttentionMapSource& source, TokenPos first_query, TokenPos first_key,
                      int zoom, View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  if (const Status status = launch::check_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
      !status.ok()) {
    return status;
  }
  switch (backend) {
    case Backend::ref:
      return ref::attention_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
    case Backend::cpu:
      return cpu::attention_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
    case Backend::cuda:
      break;
  }
  return {StatusCode::backend_unavailable, "attention_tile"};
}

}  // namespace natscope::kernels
