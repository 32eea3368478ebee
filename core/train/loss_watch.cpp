// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/loss_watch.h"

#include <algorithm>
#include <cmath>

namespace natscope::train {

namespace {

/// A loss this many times its running mean, after a first few steps, does not come back.
constexpr double explosion = 1e3;
constexpr int steps_before_explosion = 10;
/// Of documents from which nothing is dropped the distance is 0 but for rounding: a thousand times that is nothing.
constexpr double smallest_mean = 1e-6;

}  // namespace

void LossWatch::remember(double loss) {
  last_ = loss;
  mean_ = seen_ == 0 ? loss : 0.9 * mean_ + 0.1 * loss;
  ++seen_;
}

Expected<void> LossWatch::check(std::int64_t step, double loss, const std::string& calmer) {
  if (!std::isfinite(loss))
    return fail(ErrorCode::bad_job, "the loss of step " + std::to_string(step) + " is not a number", calmer);
  if (seen_ >= steps_before_explosion && loss > explosion * std::max(mean_, smallest_mean)) {
    return fail(
        ErrorCode::bad_job,
        "the loss of step " + std::to_string(step) + " is " + std::to_string(loss) + ", a thousand times what it was",
        calmer);
  }
  remember(loss);
  return {};
}

}  // namespace natscope::train
