// SPDX-License-Identifier: GPL-3.0-or-later
/// The loop of a training job, whatever it trains: steps, checkpoints, evaluations, stop requests, and the end.
///
///     MyTask task(options, job);
///     auto result = run_job(task, job, {options.checkpoint_every, options.checkpoints_kept, …}, listener, stop);
///
/// A resumed run repeats what the uninterrupted one would have done: a task's step depends on its number and the
/// weights alone. Runs on the calling thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/jobs/job_folder.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/passes/optimizer.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/reports.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

class DeviceTrainingState;

/// What is particular to one kind of training. After prepare() the others may be called, in any order.
class TrainingTask {
 public:
  using Say = std::function<void(const std::string&)>;

  TrainingTask() = default;
  virtual ~TrainingTask() = default;
  TrainingTask(const TrainingTask&) = delete;
  TrainingTask& operator=(const TrainingTask&) = delete;

  /// Reads data and model. `say` tells people what takes time. Errors: the task's own.
  [[nodiscard]] virtual Expected<void> prepare(const Say& say) = 0;

  /// What it reads. A resumed run goes on with the same and with nothing else: its losses would be no run's.
  [[nodiscard]] virtual RunInputs inputs() const { return {}; }
  /// What is trained. The arrays below are [layout().size].
  [[nodiscard]] virtual const ParameterLayout& layout() const = 0;
  [[nodiscard]] virtual std::vector<float> initial_weights() const = 0;
  virtual void set_weights(std::span<const float> weights) = 0;
  /// Where the run's weights, gradient and moments live beside the passes; null: in ordinary memory, with this loop.
  [[nodiscard]] virtual DeviceTrainingState* device_state() { return nullptr; }

  [[nodiscard]] virtual std::int64_t steps() const = 0;
  /// Tokens that steps 1 … `step` read.
  [[nodiscard]] virtual std::int64_t tokens_until(std::int64_t step) const = 0;
  [[nodiscard]] virtual int kv_heads() const = 0;

  /// Adds the gradient of step `number` (from 1) at the present weights to `gradient`, or, where that is empty, to the
  /// one on the device, either of which is zero; fills in loss, tokens and roles of the report. Where ranks share the
  /// step, what comes out is of the whole step on every rank. Errors: interrupted, out_of_memory, internal, io_failure
  /// (a rank is gone).
  [[nodiscard]] virtual Expected<StepReport> add_gradient(std::int64_t number, std::span<float> gradient) = 0;
  /// How that step moves weights and moments.
  [[nodiscard]] virtual OptimizerOptions optimizer(std::int64_t number) const = 0;

  [[nodiscard]] virtual bool has_held_out() const = 0;
  /// On held-out text; `last`: at the end of the run, where more may be read. Errors: as add_gradient.
  [[nodiscard]] virtual Expected<Evaluation> evaluate(bool last) = 0;

  /// Writes the model that `weights` make to out(). Errors: those of writing files.
  [[nodiscard]] virtual Expected<void> write_model(std::span<const float> weights) const = 0;
  [[nodiscard]] virtual std::filesystem::path out() const = 0;

  /// What to change when the loss is no number any more.
  [[nodiscard]] virtual std::string calmer() const { return "lower --lr or raise --warmup"; }
};

struct LoopOptions {
  std::int64_t checkpoint_every = 200;
  int checkpoints_kept = 2;
  std::int64_t evaluate_every = 500;  ///< 0: only at the end
};

/// Prepares the task, resumes from the job's newest valid checkpoint where there is one, and runs to the end; the job's
/// status says how it ended. `first_status_steps`: what the status says until the task knows its steps.
/// Errors: the task's; interrupted; bad_job (a loss, gradient or weight that is no number, or a loss a thousand times
/// what it was: the step is named); bad_checkpoint (none is whole; inputs() are not those of its run); disk_full (says
/// which checkpoint is intact); those of files. `ranks`: the leading one alone writes and says anything; all return the
/// same result but the evaluation. A rank that fails alone returns its error and must end its process: the others wait
/// for it until their starter ends them.
[[nodiscard]] Expected<TrainResult> run_job(TrainingTask& task, jobs::JobFolder& job, const LoopOptions& options,
                                            std::int64_t first_status_steps, const TrainListener& listener,
                                            const StopToken& stop, RankGroup& ranks);

}  // namespace natscope::train
