// SPDX-License-Identifier: GPL-3.0-or-later
/// How fast a run is, and when it will be done. Private to core/train.
#pragma once

#include "core/train/reports.h"

namespace natscope::train {

class Throughput {
 public:
  /// After a step that took `seconds`: fills in what its report says of time, from its step, steps and tokens.
  void add(double seconds, StepReport& report) {
    mean_step_s_ = mean_step_s_ == 0.0 ? seconds : 0.95 * mean_step_s_ + 0.05 * seconds;
    report.tokens_per_s = static_cast<double>(report.tokens) / seconds;
    report.usual_tokens_per_s = static_cast<double>(report.tokens) / mean_step_s_;
    report.eta_s = mean_step_s_ * static_cast<double>(report.steps - report.step);
  }

 private:
  double mean_step_s_ = 0.0;  // running
};

}  // namespace natscope::train
