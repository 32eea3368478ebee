// SPDX-License-Identifier: GPL-3.0-or-later
/// What people see while a study runs: which run of how many, its steps, and what was measured. All on stderr.
#pragma once

#include <chrono>
#include <string>

#include "app/cli/training_progress.h"
#include "core/reproduce/study_folder.h"

namespace natscope {

class StudyProgress {
 public:
  /// Calls back into this object, which must outlive it.
  [[nodiscard]] reproduce::StudyListener listener();

  void say(const std::string& text);

 private:
  TrainingProgress steps_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  int finished_ = 0;
};

}  // namespace natscope
