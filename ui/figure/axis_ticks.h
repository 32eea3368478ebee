// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

namespace natscope::ui {

/// Whole numbers first … first + count - 1 that make good ticks: multiples of 1, 2 or 5 · 10^k, at most `maxTicks` of
/// them; the first number alone where no multiple lies in the range.
[[nodiscard]] std::vector<std::int64_t> positionTicks(std::int64_t first, std::int64_t count, int maxTicks);

/// Ticks from 0 to at least `top` in steps of 1, 2, 2.5 or 5 · 10^k, about `wanted` steps. {0, 1} when top is not
/// positive.
[[nodiscard]] std::vector<double> valueTicks(double top, int wanted);

}  // namespace natscope::ui
