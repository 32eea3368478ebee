// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/axis_ticks.h"

#include <algorithm>
#include <cmath>

namespace natscope::ui {

std::vector<std::int64_t> positionTicks(std::int64_t first, std::int64_t count, int maxTicks) {
  std::vector<std::int64_t> ticks;
  if (count <= 0 || maxTicks <= 0) return ticks;
  std::int64_t step = 1;
  const auto needed = [&] { return (first + count - 1) / step - (first + step - 1) / step + 1; };
  for (int turn = 0; needed() > maxTicks; ++turn) step = turn % 3 == 1 ? step / 2 * 5 : step * 2;
  for (std::int64_t tick = (first + step - 1) / step * step; tick < first + count; tick += step) ticks.push_back(tick);
  if (ticks.empty()) ticks.push_back(first);
  return ticks;
}

std::vector<double> valueTicks(double top, int wanted) {
  if (!(top > 0) || !std::isfinite(top)) return {0, 1};
  const double rough = top / std::max(1, wanted);
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * decade >= rough * (1 - 1e-9)) {
      step = factor * decade;
      break;
    }
  }
  std::vector<double> ticks;
  for (int i = 0; ticks.empty() || ticks.back() < top * (1 - 1e-9); ++i) ticks.push_back(i * step);
  return ticks;
}

}  // namespace natscope::ui
