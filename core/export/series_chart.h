// SPDX-License-Identifier: GPL-3.0-or-later
/// A chart of several series of points with spreads, before it is drawn.
#pragma once

#include <string>
#include <vector>

namespace natscope {

/// A value with the least and the greatest of what it is the mean of.
struct Spread {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// Of at least one value.
[[nodiscard]] Spread spread_of(const std::vector<double>& values);

struct ChartPoint {
  Spread x;
  Spread y;
};

struct ChartSeries {
  std::string name;
  std::vector<ChartPoint> points;
  bool is_baseline = false;  ///< drawn less strongly
};

struct SeriesChart {
  std::string title;
  std::string x_label;
  std::string y_label;
  bool log_x = false;  ///< x > 0
  std::vector<ChartSeries> series;
};

/// Adds a point to the series of that name, which is made where it is not there yet.
void add_point(SeriesChart& chart, const std::string& series, bool is_baseline, const ChartPoint& point);

/// Every series' points from left to right.
void sort_points(SeriesChart& chart);

}  // namespace natscope
