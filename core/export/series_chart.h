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
  int look = -1;             ///< which colour and mark, from 0; -1: those of its place among the series
};

struct SeriesChart {
  std::string title;
  std::string note;  ///< a line under the title, where there is something to know
  std::string x_label;
  std::string y_label;
  bool log_x = false;  ///< x > 0
  std::vector<ChartSeries> series;
  std::string provenance = "{}";  ///< a JSON object: where the numbers come from, for the picture's metadata
};

/// Adds a point to the series of that name, which is made where it is not there yet.
void add_point(SeriesChart& chart, const std::string& series, bool is_baseline, const ChartPoint& point);

/// Every series' points from left to right.
void sort_points(SeriesChart& chart);

}  // namespace natscope
