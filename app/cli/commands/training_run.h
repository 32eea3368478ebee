// SPDX-License-Identifier: GPL-3.0-or-later
/// A training that runs in this process, alone or as one of several ranks.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/cli/invocation.h"
#include "core/base/expected.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/reports.h"

namespace natscope {

/// How it is asked for.
struct TrainingRun {
  int ranks = 1;        ///< --ranks: a run that begins must have been started as so many processes
  bool resume = false;  ///< --resume
  std::string ignored;  ///< said first: which flags a resumed run does not heed
  std::function<Expected<train::TrainResult>(const train::TrainListener&, train::RankGroup&)> train;
};

/// Trains, and shows progress where this is the leading rank. Nothing on the others: the leading one has the result.
/// Errors: usage (another number of processes than --ranks), those of join_ranks() and `train`.
[[nodiscard]] Expected<std::optional<train::TrainResult>> run_training(const TrainingRun& run, CommandContext& context);

}  // namespace natscope
