// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "kernels/ref/attention_map_row.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels::ref {

Status row_statistics(const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight) {
  const std::size_t count = std::max({entropy.size(), sink_weight.size(), self_weight.size()});
  for (std::size_t row = 0; row < count; ++row) {
    const std::int64_t m = first_query.value + static_cast<std::int64_t>(row);
    double sum = 0;
    for (std::int64_t n = 0; n <= m; ++n) {
      if (!map_visible(source, m, n)) continue;
      const double weight = map_weight(source, m, n);
      if (weight > 0) sum -= weight * std::log(weight);
    }
    if (!entropy.empty()) entropy[row] = static_cast<float>(sum);
    if (!sink_weight.empty())
      sink_weight[row] = static_cast<float>(map_visible(source, m, 0) ? map_weight(source, m, 0) : 0.0);
    if (!self_weight.empty()) self_weight[row] = static_cast<float>(map_weight(source, m, m));
  }
  return {};
}

}  // namespace natscope::kernels::ref
