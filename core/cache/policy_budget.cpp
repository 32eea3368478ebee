// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/policy_budget.h"

#include <algorithm>
#include <cmath>

namespace natscope {

Policy policy_at_budget(Policy::Kind kind, double fraction, std::int64_t tokens) {
  const std::int64_t entries =
      std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(tokens)), 1, tokens);
  Policy policy;
  policy.kind = kind;
  if (kind == Policy::Kind::streaming) {
    policy.sinks = std::min(baseline_sinks, entries - 1);
    policy.window = entries - policy.sinks;
  } else if (kind == Policy::Kind::h2o) {
    policy.heavy = entries / 2;
    policy.recent = entries - policy.heavy;
  } else if (kind == Policy::Kind::tova) {
    policy.heavy = entries;
  } else if (drops_behind_prompt(kind)) {
    policy.recent = std::clamp<std::int64_t>(entries / 2, 1, baseline_snap_window);
    policy.heavy = entries - policy.recent;
  } else {
    policy.window = entries;
  }
  return policy;
}

}  // namespace natscope
