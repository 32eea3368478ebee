// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/series_chart.h"

#include <algorithm>
#include <numeric>

namespace natscope {

Spread spread_of(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()), *low, *high};
}

void add_point(SeriesChart& chart, const std::string& series, bool is_baseline, const ChartPoint& point) {
  auto found =
      std::find_if(chart.series.begin(), chart.series.end(), [&](const ChartSeries& s) { return s.name == series; });
  if (found == chart.series.end())
    found = chart.series.insert(chart.series.end(), ChartSeries{series, {}, is_baseline});
  found->points.push_back(point);
}

void sort_points(SeriesChart& chart) {
  for (ChartSeries& series : chart.series) {
    std::sort(series.points.begin(), series.points.end(),
              [](const ChartPoint& a, const ChartPoint& b) { return a.x.mean < b.x.mean; });
  }
}

}  // namespace natscope
