// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/training_run.h"

#include <utility>

#include "app/cli/commands/training_progress.h"
#include "app/cli/terminal/interrupt.h"

namespace natscope {

Expected<std::optional<train::TrainResult>> run_training(const TrainingRun& run, CommandContext& context) {
  NATSCOPE_TRY(const auto ranks, train::join_ranks(context.stop));
  if (run.ranks > 1 && !run.resume && ranks->size() != run.ranks) {
    return fail(ErrorCode::usage, "--ranks starts no processes by itself",
                "add --detach, or start this with mpirun -np " + std::to_string(run.ranks));
  }
  TrainingProgress progress;
  const EndingAdvice advice("add --resume to go on from the last checkpoint, or begin anew in another folder");
  if (!run.ignored.empty() && run.resume && ranks->leads()) progress.listener().message(run.ignored);
  auto result = run.train(ranks->leads() ? progress.listener() : train::TrainListener(), *ranks);
  progress.end();
  if (!result) return Unexpected(error_of_rank(std::move(result).error(), *ranks, context));
  if (!ranks->leads()) return std::nullopt;
  return std::move(*result);
}

}  // namespace natscope
