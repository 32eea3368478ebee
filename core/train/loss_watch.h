// SPDX-License-Identifier: GPL-3.0-or-later
/// Ends a run whose loss is not a number any more, or has exploded. Private to core/train.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/expected.h"

namespace natscope::train {

class LossWatch {
 public:
  /// The loss of one step more, which was computed before: by this process, or by the one whose run goes on.
  void remember(double loss);

  /// Remembers the loss of a step. Errors: bad_job, with `calmer` as what to do (it is not finite, or a thousand times
  /// what it was); it is forgotten then.
  [[nodiscard]] Expected<void> check(std::int64_t step, double loss, const std::string& calmer);

  /// The last loss that was remembered; 0 before the first.
  [[nodiscard]] double last() const { return last_; }

 private:
  double mean_ = 0.0;  // running
  double last_ = 0.0;
  int seen_ = 0;
};

}  // namespace natscope::train
