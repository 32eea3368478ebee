// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/series_chart.h"

#include <algorithm>
#include <numeric>

namespace natscope {

Spread spread_of(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()), *low, *high};
}

}  // namespace natscope
