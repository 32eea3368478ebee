// SPDX-License-Identifier: GPL-3.0-or-later
/// What people see while a study runs: which run of how many, its steps, and what was measured. All on stderr.
#pragma once

#include <chrono>
#include <string>

#include "app/cli/commands/training_progress.h"
#include "app/cli/invocation.h"
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

/// Does the runs of a study that are left, and says how it goes on: after an error, and where other processes have
/// some. `runs`: what the study calls them. Errors: those of Study::run().
template <class Study>
[[nodiscard]] Expected<void> run_study(Study& study, const char* runs, StudyProgress& progress,
                                       const CommandContext& context) {
  auto done = study.run(progress.listener(), context.stop);
  if (!done) {
    progress.say("the same command goes on from here");
    return done;
  }
  if (study.left() > 0) {
    progress.say(std::to_string(study.left()) + " " + runs + " are with other processes, or wait for them");
  }
  return {};
}

}  // namespace natscope
