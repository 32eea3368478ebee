// SPDX-License-Identifier: GPL-3.0-or-later
/// Learning rate over a run: a straight warm-up, then half a cosine down.
#pragma once

#include <cstdint>

namespace natscope::train {

struct Schedule {
  double peak = 1e-3;
  double final_ratio = 0.1;  ///< the last step's rate over the peak's
  std::int64_t warmup_steps = 0;
  std::int64_t steps = 1;
};

/// Rate of step 1 … steps. Step `warmup_steps` has the peak, step `steps` has peak · final_ratio, unless the warm-up is
/// as long as the run: such a one only climbs.
[[nodiscard]] double learning_rate(const Schedule& schedule, std::int64_t step);

}  // namespace natscope::train
