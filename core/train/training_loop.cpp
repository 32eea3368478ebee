// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/training_loop.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "core/base/sha256.h"
#include "core/jobs/checkpoint_list.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_progress.h"
#include "core/jobs/job_status.h"
#include "core/train/loss_watch.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/progress_points.h"
#include "core/train/throughput.h"

namespace natscope::train {

namespace {

using jobs::JobFolder;
using jobs::JobState;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A checkpoint on Ctrl+C must not outlast the half second that the command line promises.
constexpr double checkpoint_budget_s = 0.25;

class Loop {
 public:
  Loop(TrainingTask& task, JobFolder& job, const LoopOptions& options, const TrainListener& listener,
       const StopToken& stop, RankGroup& ranks)
      : task_(task), job_(job), options_(options), listener_(listener), stop_(stop), ranks_(ranks) {}

  /// The step that an earlier process said it had reached: what is known until the checkpoint is read.
  void set_step_before(std::int64_t step) { step_before_ = step; }

  Expected<void> prepare() {
    NATSCOPE_CHECK(task_.prepare([this](const std::string& text) { say(text); }));
    const RunInputs inputs = task_.inputs();
    NATSCOPE_CHECK(check_same_run(inputs));
    const auto size = static_cast<std::size_t>(task_.layout().size);
    device_ = task_.device_state();
    if (device_ == nullptr) gradient_.assign(size, 0.0F);
    state_.weights.assign(size, 0.0F);
    state_.first_moment.assign(size, 0.0F);
    state_.second_moment.assign(size, 0.0F);
    if (ranks_.leads()) {
      NATSCOPE_CHECK(find_state(inputs));
      state_.inputs = inputs;
    }
    NATSCOPE_CHECK(share_state());
    if (device_ != nullptr) {
      NATSCOPE_CHECK(device_->set(state_));
      if (!ranks_.leads()) give_memory_back();
    } else {
      task_.set_weights(state_.weights);
    }
    saved_step_ = state_.step;
    has_state_ = true;
    return {};
  }

  Expected<TrainResult> go() {
    const auto begun = Clock::now();
    TrainResult result;
    // A run that ended between a checkpoint and its evaluation still owes it.
    if (state_.step > 0) {
      if (auto evaluated = evaluate_where_due(result); !evaluated) return give_up(std::move(evaluated).error());
    }
    while (state_.step < task_.steps()) {
      const auto mode = stop_request();
      if (!mode) return give_up(mode.error());
      if (*mode) return stop_on_request(**mode);
      if (auto done = step(); !done) return give_up(std::move(done).error());
      const bool last = state_.step == task_.steps();
      if (last || state_.step % options_.checkpoint_every == 0) NATSCOPE_CHECK(save());
      if (auto evaluated = evaluate_where_due(result); !evaluated) return give_up(std::move(evaluated).error());
    }
    result.loss = losses_.last();
    if (ranks_.leads()) {
      NATSCOPE_CHECK(write_model());
      NATSCOPE_CHECK(job_.write_status(JobState::finished, state_.step, task_.steps()));
    }
    NATSCOPE_CHECK(ranks_.leave());
    result.model = task_.out();
    result.steps = task_.steps();
    result.kv_heads = task_.kv_heads();
    result.tokens = task_.tokens_until(task_.steps());
    result.parameters = task_.layout().parameter_count();
    result.seconds = seconds_since(begun);
    say("finished: " + task_.out().string());
    return result;
  }

  /// What the folder says of a run that ended with an error.
  Error closed(Error error, std::int64_t steps) {
    if (!ranks_.leads()) return error;
    if (error.code == ErrorCode::disk_full) add_last_checkpoint(error);
    const JobState state = stopped_on_request_                    ? JobState::stopped
                           : error.code == ErrorCode::interrupted ? JobState::interrupted
                                                                  : JobState::failed;
    const std::string line = format_error_line(error);
    // The status first: it gives up the reserve that the log's line may need on a full disk.
    const std::int64_t reached = has_state_ ? state_.step : step_before_;
    static_cast<void>(job_.write_status(state, reached, steps, state == JobState::stopped ? std::string() : line));
    static_cast<void>(job_.log(line));
    return error;
  }

 private:
  /// What is left of the run where the disk is full. A run that did not come so far as to read its checkpoint has
  /// those of the process before.
  void add_last_checkpoint(Error& error) const {
    const bool has_earlier = !has_state_ && !jobs::list_checkpoints(job_.checkpoints()).empty();
    if (saved_step_ > 0) {
      error.message += "; the checkpoint of step " + std::to_string(saved_step_) + " is intact";
      error.hint = "free some space; --resume goes on from there";
    } else if (has_earlier) {
      error.message += "; its checkpoints are as they were";
      error.hint = "free some space; --resume goes on from the newest";
    } else {
      error.message += "; there is no checkpoint yet";
      error.hint = "free some space, and run it again";
    }
  }

  /// To the listener and the log; a log that cannot be written is no reason to stop training.
  void say(const std::string& text) {
    if (!ranks_.leads()) return;
    if (listener_.message) listener_.message(text);
    static_cast<void>(job_.log(text));
  }

  /// Where the run stands: at its newest checkpoint, or at its begin.
  Expected<void> find_state(const RunInputs& inputs) {
    remove_unfinished_checkpoints(job_.checkpoints());
    const auto there = jobs::list_checkpoints(job_.checkpoints());
    NATSCOPE_TRY(const auto checkpoint, newest_valid_checkpoint(job_.checkpoints(), &verified_));
    if (checkpoint) {
      NATSCOPE_TRY(state_, read_checkpoint(*checkpoint, task_.layout(), &verified_));
      NATSCOPE_CHECK(check_inputs(inputs));
      if (there.front().step > state_.step)
        say("the checkpoint of step " + std::to_string(there.front().step) + " is damaged and passed over");
      say("resuming after step " + std::to_string(state_.step));
    } else if (!there.empty()) {
      return fail(ErrorCode::bad_checkpoint,
                  printable(job_.checkpoints().string()) + " holds checkpoints, and none of them is whole",
                  "put back one that is, or remove that folder to begin at step 0");
    } else {
      state_.weights = task_.initial_weights();
    }
    NATSCOPE_CHECK(job_.rewind_progress(state_.step));
    return recall_progress();
  }

  /// Of the checkpoint's run against this one's.
  [[nodiscard]] Expected<void> check_inputs(const RunInputs& inputs) const {
    for (const auto& [name, digest] : inputs) {
      const auto before = state_.inputs.find(name);
      if (before == state_.inputs.end() || before->second == digest) continue;
      return fail(ErrorCode::bad_data, "the " + name + " is another than the one that this run began with",
                  "put that back, or begin a new run");
    }
    return {};
  }

  /// Of a rank that does not lead, whose weights are on its device: checkpoints and the model are the leading one's.
  void give_memory_back() {
    for (std::vector<float>* const values : {&state_.weights, &state_.first_moment, &state_.second_moment})
      *values = std::vector<float>();  // `= {}` would keep the memory
  }

  /// Ranks that read other files would train on a mixture, or wait for each other's steps for ever.
  Expected<void> check_same_run(const RunInputs& inputs) {
    if (ranks_.size() == 1) return {};
    std::string what = std::to_string(task_.steps());
    for (const auto& [name, digest] : inputs) what += name + digest;
    // As much of it as a sum holds to the last bit.
    const std::string digest = sha256_hex(std::as_bytes(std::span(what))).substr(0, 12);
    const auto mine = static_cast<double>(std::stoull(digest, nullptr, 16));
    double leading = ranks_.leads() ? mine : 0;
    NATSCOPE_CHECK(ranks_.all_reduce({&leading, 1}));
    NATSCOPE_TRY(const bool is_same, ranks_.all_reduce_and(leading == mine));
    if (is_same) return {};
    return fail(ErrorCode::bad_data,
                leading == mine ? "another rank reads other files than the leading one"
                                : "rank " + std::to_string(ranks_.rank()) + " reads other files than the leading one",
                "the text and the model to begin with must be the same on every machine");
  }

  /// To the ranks that did not read it; a file system need not show them the same checkpoint.
  Expected<void> share_state() {
    double step = static_cast<double>(state_.step);
    NATSCOPE_CHECK(ranks_.all_reduce({&step, 1}));
    state_.step = static_cast<std::int64_t>(step);
    if (ranks_.size() == 1) return {};
    NATSCOPE_CHECK(ranks_.broadcast(state_.weights));
    NATSCOPE_CHECK(ranks_.broadcast(state_.first_moment));
    return ranks_.broadcast(state_.second_moment);
  }

  /// Seen by the leading rank, told to all.
  Expected<std::optional<jobs::StopMode>> stop_request() {
    if (ranks_.size() == 1) return job_.stop_request();
    double word = 0;
    if (ranks_.leads()) {
      if (const auto mode = job_.stop_request()) word = 1 + static_cast<double>(*mode);
    }
    NATSCOPE_CHECK(ranks_.all_reduce({&word, 1}));
    if (word == 0) return std::optional<jobs::StopMode>();
    return std::optional(static_cast<jobs::StopMode>(static_cast<int>(word) - 1));
  }

  /// One optimiser step. The state changes only when every part of the gradient is there.
  Expected<void> step() {
    const auto begun = Clock::now();
    const std::int64_t number = state_.step + 1;
    if (device_ != nullptr) {
      NATSCOPE_CHECK(device_->clear_gradient());
    } else {
      std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    }
    NATSCOPE_TRY(StepReport report, task_.add_gradient(number, gradient_));
    NATSCOPE_CHECK(losses_.check(number, report.loss, task_.calmer()));
    NATSCOPE_TRY(const OptimizerReport update, update_weights(number));
    // The weights are worth nothing now; they must not come into a checkpoint, from which every resume would begin.
    if (!update.is_finite) {
      return fail(ErrorCode::bad_job, "the gradient of step " + std::to_string(number) + " is not a number",
                  task_.calmer());
    }
    state_.step = number;

    report.step = number;
    report.steps = task_.steps();
    report.learning_rate = update.learning_rate;
    report.gradient_norm = update.gradient_norm;
    throughput_.add(seconds_since(begun), report);
    if (ranks_.leads()) {
      NATSCOPE_CHECK(job_.append_progress(jobs::progress_json(progress_point(report))));
      NATSCOPE_CHECK(job_.write_running_status(number, task_.steps()));
    }
    if (listener_.step) listener_.step(report);
    return {};
  }

  Expected<OptimizerReport> update_weights(std::int64_t number) {
    const OptimizerOptions options = task_.optimizer(number);
    if (device_ != nullptr) return device_->step(options, number);
    const OptimizerReport report = optimizer_step(options, number, task_.layout(), gradient_, state_);
    task_.set_weights(state_.weights);
    return report;
  }

  /// The losses of the steps before, from their lines, and whether the last of them was evaluated: a resumed run knows
  /// an explosion as well as one that was never interrupted, and leaves no evaluation out.
  Expected<void> recall_progress() {
    jobs::ProgressFollower progress(job_.path());
    for (bool more = true; more;) {
      NATSCOPE_TRY(const jobs::NewPoints fresh, progress.poll());
      for (const jobs::JobPoint& point : fresh.points) {
        if (const auto* const step = std::get_if<jobs::StepPoint>(&point)) {
          losses_.remember(step->loss);
        } else {
          evaluated_step_ = jobs::step_of(point);
        }
      }
      more = fresh.more;
    }
    return {};
  }

  Expected<void> save() {
    const auto begun = Clock::now();
    if (ranks_.leads()) {
      if (device_ != nullptr) NATSCOPE_CHECK(device_->bring_down(state_));
      // A step too large leaves a finite gradient behind, and weights that are none.
      if (!std::ranges::all_of(state_.weights, [](float weight) { return std::isfinite(weight); })) {
        return fail(ErrorCode::bad_job,
                    "the weights after step " + std::to_string(state_.step) + " are not all numbers", task_.calmer());
      }
      NATSCOPE_CHECK(
          write_checkpoint(job_.checkpoints(), task_.layout(), state_, options_.checkpoints_kept, &verified_));
    }
    saved_step_ = state_.step;
    checkpoint_s_ = seconds_since(begun);
    return {};
  }

  /// Of the present step, which is saved: its weights are in state_, wherever the run's live.
  Expected<void> write_model() {
    assert(saved_step_ == state_.step);
    return task_.write_model(state_.weights);
  }

  Expected<void> evaluate_where_due(TrainResult& result) {
    const bool last = state_.step == task_.steps();
    const bool due = last || (options_.evaluate_every > 0 && state_.step % options_.evaluate_every == 0);
    if (!due || evaluated_step_ == state_.step || !ranks_.leads() || !task_.has_held_out()) return {};
    NATSCOPE_TRY(Evaluation evaluation, task_.evaluate(last));
    evaluation.step = state_.step;
    NATSCOPE_CHECK(job_.append_progress(jobs::progress_json(progress_point(evaluation, task_.kv_heads()))));
    evaluated_step_ = state_.step;
    say(evaluation_text(evaluation));
    if (listener_.evaluated) listener_.evaluated(evaluation);
    result.evaluation = std::move(evaluation);
    return {};
  }

  /// Ends between two steps, because somebody wrote it into the folder.
  Unexpected stop_on_request(jobs::StopMode mode) {
    const bool keep = mode == jobs::StopMode::keep_model;
    // A model that is kept has a checkpoint beside it, be it of step 0: a run that goes on knows by it whose model it is.
    if (keep || state_.step > saved_step_) {
      if (auto saved = save(); !saved) return Unexpected(std::move(saved).error());
    }
    if (keep && ranks_.leads()) {
      if (auto kept = write_model(); !kept) return Unexpected(std::move(kept).error());
      say("the model of step " + std::to_string(state_.step) + ": " + task_.out().string());
    }
    if (ranks_.leads()) jobs::withdraw_stop_request(job_.path());
    stopped_on_request_ = true;
    // All ranks end here, so that none must be ended.
    if (auto left = ranks_.leave(); !left) return Unexpected(std::move(left).error());
    return fail(ErrorCode::interrupted,
                "training stopped after step " + std::to_string(state_.step) + ", as asked" +
                    (keep ? "; the model of that step is in " + task_.out().string() : ""),
                "--resume goes on from there");
  }

  /// Ends a run that failed or was stopped; what is done is kept where that costs no time.
  Unexpected give_up(Error error) {
    if (error.code == ErrorCode::interrupted) {
      const double estimate =
          checkpoint_s_ > 0.0 ? checkpoint_s_ : static_cast<double>(task_.layout().size) * 12.0 / 2e8;
      // Of several ranks on GPUs one may have left a sum that this one's device waits for: what lies there stays there.
      const bool comes_down = device_ == nullptr || ranks_.size() == 1;
      if (state_.step > saved_step_ && comes_down && estimate < checkpoint_budget_s) static_cast<void>(save());
      error = make_error(
          ErrorCode::interrupted,
          "training stopped after step " + std::to_string(state_.step) +
              (saved_step_ > 0 ? "; checkpoint of step " + std::to_string(saved_step_) : "; no checkpoint yet"),
          saved_step_ > 0 ? "--resume goes on from there" : "run it again to begin anew");
    }
    return Unexpected(std::move(error));
  }

  TrainingTask& task_;
  JobFolder& job_;
  LoopOptions options_;
  const TrainListener& listener_;
  StopToken stop_;
  RankGroup& ranks_;
  TrainingState state_;  // with a state on a device, weights and moments are those of saved_step_
  VerifiedCheckpoints verified_;
  std::vector<float> gradient_;
  DeviceTrainingState* device_ = nullptr;
  LossWatch losses_;
  Throughput throughput_;
  std::int64_t saved_step_ = 0;
  std::int64_t evaluated_step_ = 0;
  double checkpoint_s_ = 0.0;
  std::int64_t step_before_ = 0;
  bool has_state_ = false;  // what state_ says counts
  bool stopped_on_request_ = false;
};

}  // namespace

Expected<TrainResult> run_job(TrainingTask& task, JobFolder& job, const LoopOptions& options,
                              std::int64_t first_status_steps, const TrainListener& listener, const StopToken& stop,
                              RankGroup& ranks) {
  Loop loop(task, job, options, listener, stop, ranks);
  std::int64_t steps = first_status_steps;
  auto work = [&]() -> Expected<TrainResult> {
    const auto before = jobs::read_job_status(job.path());
    loop.set_step_before(before ? before->step : 0);
    if (ranks.leads()) NATSCOPE_CHECK(job.write_status(JobState::running, before ? before->step : 0, steps));
    NATSCOPE_CHECK(loop.prepare());
    steps = task.steps();
    return loop.go();
  };
  Expected<TrainResult> result = work();
  if (!result) {
    Error error = loop.closed(std::move(result).error(), steps);
    ranks.give_up(error);
    return Unexpected(std::move(error));
  }
  return result;
}

}  // namespace natscope::train
