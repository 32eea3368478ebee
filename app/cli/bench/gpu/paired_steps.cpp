// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/paired_steps.h"

#include <algorithm>
#include <cmath>

#include "core/base/cancel.h"

namespace natscope::bench {

StepPlan plan_steps(double round_s, double budget_s) {
  constexpr StepPlan whole;
  constexpr StepPlan least{1, 3};
  if (!(round_s > 0)) return whole;
  const double rounds = std::floor(budget_s / round_s);
  if (rounds >= whole.warm_up + whole.timed) return whole;
  const int warm_up = std::clamp(static_cast<int>(rounds / 3), least.warm_up, whole.warm_up);
  return {warm_up, std::clamp(static_cast<int>(rounds) - warm_up, least.timed, whole.timed)};
}

double PairedTimes::ratio() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(ours.size(), reference.size()); ++i) ratios.push_back(reference[i] / ours[i]);
  return ratios.empty() ? 0 : summarise(ratios).median;
}

Expected<PairedTimes> paired_steps(const TimedStep& ours, const TimedStep& reference, double budget_s,
                                   std::stop_token stop) {
  PairedTimes times;
  const auto round = [&](bool counts) -> Expected<void> {
    NATSCOPE_CHECK(check(stop));
    NATSCOPE_TRY(const double ours_s, ours());
    if (counts) times.ours.push_back(ours_s);
    if (!reference) return {};
    NATSCOPE_TRY(const double reference_s, reference());
    if (counts) times.reference.push_back(reference_s);
    return {};
  };
  // The first round makes graphs and allocates; the second one shows what a round takes, clock to clock.
  NATSCOPE_CHECK(round(false));
  Expected<void> done;
  const double round_s = seconds_of([&] { done = round(false); });
  NATSCOPE_CHECK(std::move(done));
  const StepPlan plan = plan_steps(round_s, budget_s);
  for (int i = 2; i < plan.warm_up; ++i) {
    NATSCOPE_CHECK(round(false));
  }
  for (int i = 0; i < plan.timed; ++i) {
    NATSCOPE_CHECK(round(true));
  }
  return times;
}

void put_times(Row& row, const PairedTimes& times, const std::function<double(double seconds)>& value_of) {
  std::vector<double> values;
  for (const double seconds : times.ours) values.push_back(value_of(seconds));
  const Summary summary = summarise(values);
  row.value = summary.median;
  row.spread = summary.spread;
  row.runs = static_cast<std::int64_t>(values.size());
  if (!times.reference.empty()) row.ratio = times.ratio();
}

}  // namespace natscope::bench
