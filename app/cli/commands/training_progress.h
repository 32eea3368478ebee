// SPDX-License-Identifier: GPL-3.0-or-later
/// What training commands show while they run, and print at their end.
#pragma once

#include <filesystem>
#include <string>

#include "app/cli/invocation.h"
#include "app/cli/terminal/step_line.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/reports.h"

namespace natscope {

/// Steps as they are done, each in a line (StepLine).
class TrainingProgress {
 public:
  /// Calls back into this object, which must outlive it.
  [[nodiscard]] train::TrainListener listener();

  /// As StepLine's.
  void end() { line_.end(); }

 private:
  StepLine line_;
};

/// What a rank that failed says: nothing where the leading one speaks or a signal ended all, else its number, too.
[[nodiscard]] Error error_of_rank(Error error, train::RankGroup& ranks, CommandContext& context);

/// The model's folder, or with --json everything that is known of the run.
[[nodiscard]] Expected<void> print_training_result(const train::TrainResult& result, const std::filesystem::path& job,
                                                   const CommandContext& context);

}  // namespace natscope
