// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_tile.h"

#include "kernels/cpu/operations.h"
#include "kernels/launch/argument_checks.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels {

namespace {

constexpr int max_zoom = 31;  // one cell is then more than any sequence

}  // namespace

Status attention_tile(Backend backend, const AttentionMapSource& source, TokenPos first_query, TokenPos first_key,
                      int zoom, View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  if (const Status status = launch::check_map(source); !status.ok()) return status;
  if (mean.sizes != maximum.sizes || visible_share.sizes != maximum.sizes) {
    return {StatusCode::shape_mismatch, "maximum, mean, visible_share: of one size"};
  }
  if (zoom < 0 || zoom > max_zoom) return {StatusCode::invalid_argument, "zoom: 0 … 31"};
  if (first_query.value < 0 || first_key.value < 0)
    return {StatusCode::invalid_argument, "first_query, first_key: not below 0"};
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
