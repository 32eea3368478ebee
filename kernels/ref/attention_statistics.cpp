// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "kernels/ref/attention_map_row.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels::ref {

Status row_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out) {
  const auto put = [](std::span<float> to, std::size_t row, double value) {
    if (!to.empty()) to[row] = static_cast<float>(value);
  };
  for (std::size_t row = 0; row < static_cast<std::size_t>(out.count()); ++row) {
    const std::int64_t m = first_query.value + static_cast<std::int64_t>(row);
    double entropy = 0;
    double distance = 0;
    double lost = 0;
    for (std::int64_t n = 0; n <= m; ++n) {
      if (!map_visible(source, m, n)) continue;
      const double weight = map_weight(source, m, n);
      if (weight > 0) entropy -= weight * std::log(weight);
      distance += weight * static_cast<double>(m - n);
      if (!out.lost.empty() && n < m && other_last_query[static_cast<std::size_t>(n)] < m) lost += weight;
    }
    put(out.entropy, row, entropy);
    put(out.sink_weight, row, map_visible(source, m, 0) ? map_weight(source, m, 0) : 0.0);
    put(out.self_weight, row, map_weight(source, m, m));
    put(out.distance, row, distance);
    put(out.lost, row, lost);
  }
  return {};
}

}  // namespace natscope::kernels::ref
