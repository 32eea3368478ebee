// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/operations.h"
#include "kernels/ref/operations.h"

/// Operations that have no vector form yet run the plain one.
namespace natscope::kernels::cpu {

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  return ref::attention_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
}

Status row_statistics(const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight) {
  return ref::row_statistics(source, first_query, entropy, sink_weight, self_weight);
}

}  // namespace natscope::kernels::cpu
