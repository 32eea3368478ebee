// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace natscope::train {

double learning_rate(const Schedule& schedule, std::int64_t step) {
  if (step < schedule.warmup_steps) {
    return schedule.peak * static_cast<double>(step) / static_cast<double>(schedule.warmup_steps);
  }
  const auto length = static_cast<double>(std::max<std::int64_t>(1, schedule.steps - schedule.warmup_steps));
  const double done = std::clamp(static_cast<double>(step - schedule.warmup_steps) / length, 0.0, 1.0);
  const double low = schedule.peak * schedule.final_ratio;
  return low + (schedule.peak - low) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

}  // namespace natscope::train
