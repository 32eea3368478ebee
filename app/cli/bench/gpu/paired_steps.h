// SPDX-License-Identifier: GPL-3.0-or-later
/// How many steps there is time for, and two subjects measured in turn. Nothing here needs a GPU.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "app/cli/bench/benchmark.h"

namespace natscope::bench {

struct StepPlan {
  int warm_up = 50;
  int timed = 100;
};

/// 50 and 100 where they end within `budget_s`, else as many as do, two timed ones to each that warms up, and never
/// fewer than 1 and 3: a median of less says nothing. `round_s`: what one step of every subject takes together.
[[nodiscard]] StepPlan plan_steps(double round_s, double budget_s);

/// Seconds of one step, or what went wrong.
using TimedStep = std::function<Expected<double>()>;

struct PairedTimes {
  std::vector<double> ours;
  std::vector<double> reference;  ///< empty without one

  /// How many times faster we are: the median of the pairs.
  [[nodiscard]] double ratio() const;
};

/// A B A B …, so that what changes in the machine meanwhile meets both. `reference` may be empty. The first round is
/// looked at to make the plan. Errors: those of the steps, interrupted.
[[nodiscard]] Expected<PairedTimes> paired_steps(const TimedStep& ours, const TimedStep& reference, double budget_s,
                                                 std::stop_token stop);

/// A row's value, spread, runs and ratio out of these times; `value_of` turns seconds into the row's unit.
void put_times(Row& row, const PairedTimes& times, const std::function<double(double seconds)>& value_of);

}  // namespace natscope::bench
