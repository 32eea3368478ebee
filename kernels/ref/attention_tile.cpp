// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "kernels/ref/attention_map_row.h"
#include "kernels/ref/operations.h"

namespace natscope::kernels::ref {

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  const std::int64_t tokens = source.queries.rows;
  const std::int64_t side = std::int64_t{1} << zoom;
  for (std::int64_t i = 0; i < maximum.size(0); ++i) {
    for (std::int64_t j = 0; j < maximum.size(1); ++j) {
      const std::int64_t query_begin = first_query.value + i * side;
      const std::int64_t key_begin = first_key.value + j * side;
      double largest = 0;
      double sum = 0;
      double seen = 0;
      double pairs = 0;
      for (std::int64_t m = query_begin; m < std::min(query_begin + side, tokens); ++m) {
        for (std::int64_t n = key_begin; n < std::min(key_begin + side, m + 1); ++n) {
          pairs += 1;
          if (!map_visible(source, m, n)) continue;
          const double weight = map_weight(source, m, n);
          largest = std::max(largest, weight);
          sum += weight;
          seen += 1;
        }
      }
      maximum(i, j) = static_cast<float>(largest);
      mean(i, j) = static_cast<float>(seen > 0 ? sum / seen : 0.0);
      visible_share(i, j) = static_cast<float>(pairs > 0 ? seen / pairs : 0.0);
    }
  }
  return {};
}

}  // namespace natscope::kernels::ref
