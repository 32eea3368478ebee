// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstdint>
#include <vector>

#include "core/export/scale.h"

namespace natscope::ui {

/// Whole numbers first … first + count - 1 that make good ticks: multiples of 1, 2 or 5 · 10^k, at most `maxTicks` of
/// them; the first number alone where no multiple lies in the range.
[[nodiscard]] std::vector<std::int64_t> positionTicks(std::int64_t first, std::int64_t count, int maxTicks);

/// Ticks from 0 to at least `top` in steps of 1, 2, 2.5 or 5 · 10^k, about `wanted` steps. {0, 1} when top is not
/// positive.
[[nodiscard]] std::vector<double> valueTicks(double top, int wanted);

/// A mark beside a colour bar: how far up it stands, 0 … 1, and what it says.
struct BarTick {
  double level = 0;
  QString text;
};

/// Marks for a bar of `length`: round values, on a log scale 1, 2 and 5 · 10^k or fewer of them, no closer than
/// `pitch`, and both ends. An end that other values share is marked so: "≥ 0.4", "≤ 0.0001".
[[nodiscard]] std::vector<BarTick> barTicks(const ScaleRange& range, const ScaleOptions& options, double length,
                                            double pitch);

}  // namespace natscope::ui
