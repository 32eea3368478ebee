// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/io/tokenizer.h"
#include "core/io/tokenizer_trainer.h"
#include "core/jobs/job_folder.h"
#include "core/train/checkpoint.h"
#include "core/train/corpus.h"
#include "core/train/held_out.h"
#include "core/train/model_export.h"
#include "core/train/optimizer.h"
#include "core/train/progress_json.h"
#include "core/train/training_model.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using jobs::JobFolder;
using jobs::JobState;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A checkpoint on Ctrl+C must not outlast the half second that the command line promises.
constexpr double checkpoint_budget_s = 0.25;

/// What a run works with; built once, then stepped.
class Run {
 public:
  Run(TrainOptions options, JobFolder job, const TrainListener& listener, const StopToken& stop)
      : options_(std::move(options)), job_(std::move(job)), listener_(listener), stop_(stop) {}

  /// Vocabulary, tokens, model and state. Errors: as train().
  Expected<void> prepare() {
    NATSCOPE_TRY(const Tokenizer tokenizer, prepare_tokenizer());
    config_ = model_config(options_, tokenizer);

    NATSCOPE_TRY(const MappedFile vocabulary, MappedFile::open(job_.tokenizer()));
    const std::string tokenizer_sha256 = sha256_hex(vocabulary.bytes());
    say("reading the training text");
    NATSCOPE_TRY(const auto files, text_files(options_.data));
    NATSCOPE_TRY(train_text_,
                 Corpus::read_cached(files, tokenizer, tokenizer_sha256, job_.path() / "train.tokens", stop_));
    NATSCOPE_TRY(order_, SegmentOrder::make(train_text_->tokens(), options_.context, options_.seed));
    if (!options_.valid.empty()) {
      NATSCOPE_TRY(const auto held_out_files, text_files(options_.valid));
      NATSCOPE_TRY(held_out_text_, Corpus::read_cached(held_out_files, tokenizer, tokenizer_sha256,
                                                       job_.path() / "valid.tokens", stop_));
    }
    steps_ = options_.steps > 0
                 ? options_.steps
                 : std::max<std::int64_t>(
                       1, std::llround(options_.epochs * static_cast<double>(order_->segments_per_epoch()) /
                                       options_.batch));
    NATSCOPE_TRY(model_, TrainingModel::create(config_, options_.dtype, options_.micro_batch, options_.threads,
                                               kernels::Backend::cpu));
    const auto size = static_cast<std::size_t>(layout().size);
    gradient_.assign(size, 0.0F);
    tokens_.resize(static_cast<std::size_t>(options_.micro_batch) * static_cast<std::size_t>(options_.context));
    targets_.resize(tokens_.size());
    NATSCOPE_CHECK(prepare_state(size));
    say("text " + std::to_string(train_text_->tokens().size()) + " tokens of " +
        std::to_string(train_text_->bytes_per_token()).substr(0, 4) + " bytes, " + std::to_string(parameters()) +
        " parameters, " + std::to_string(steps_) + " steps of " + std::to_string(tokens_per_step()) + " tokens");
    return {};
  }

  Expected<TrainResult> go() {
    const auto begun = Clock::now();
    TrainResult result;
    while (state_.step < steps_) {
      if (const auto mode = job_.stop_request()) return stop_on_request(*mode);
      auto loss = step();
      if (!loss) return give_up(loss.error());
      result.loss = *loss;
      const bool last = state_.step == steps_;
      if (last || state_.step % options_.checkpoint_every == 0) NATSCOPE_CHECK(save());
      const bool due = options_.evaluate_every > 0 && state_.step % options_.evaluate_every == 0;
      if (held_out_text_ && (due || last)) {
        auto evaluation = evaluate(last);
        if (!evaluation) return give_up(evaluation.error());
        result.evaluation = std::move(*evaluation);
      }
    }
    NATSCOPE_CHECK(export_model(options_.out, config_, layout(), state_.weights, options_.dtype, job_.tokenizer()));
    NATSCOPE_CHECK(job_.write_status(JobState::finished, state_.step, steps_));
    result.model = options_.out;
    result.steps = steps_;
    result.tokens = steps_ * tokens_per_step();
    result.parameters = parameters();
    result.seconds = seconds_since(begun);
    say("finished: " + options_.out.string());
    return result;
  }

  [[nodiscard]] JobFolder& job() { return job_; }
  [[nodiscard]] std::int64_t finished_steps() const { return state_.step; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] std::int64_t saved_step() const { return saved_step_; }
  /// Whether the run ended because its folder asked for it.
  [[nodiscard]] bool stopped_on_request() const { return stopped_on_request_; }

 private:
  [[nodiscard]] const ParameterLayout& layout() const { return model_->layout(); }
  [[nodiscard]] std::int64_t tokens_per_step() const { return std::int64_t{options_.batch} * options_.context; }
  [[nodiscard]] std::int64_t parameters() const {
    std::int64_t sum = 0;
    for (const Parameter& p : layout().parameters) sum += p.elements;
    return sum;
  }

  /// To the listener and the log; a log that cannot be written is no reason to stop training.
  void say(const std::string& text) {
    if (listener_.message) listener_.message(text);
    static_cast<void>(job_.log(text));
  }

  /// The job's own copy of the vocabulary: given, trained, or there from before.
  Expected<Tokenizer> prepare_tokenizer() {
    std::error_code problem;
    if (!fs::exists(job_.tokenizer(), problem)) {
      if (!options_.tokenizer.empty()) {
        NATSCOPE_TRY(const MappedFile file, MappedFile::open(options_.tokenizer));
        NATSCOPE_CHECK(write_file_atomically(job_.tokenizer(), file.bytes()));
      } else {
        say("training a vocabulary of " + std::to_string(options_.vocab) + " pieces");
        TokenizerTraining training;
        training.vocab_size = options_.vocab;
        training.threads = options_.threads;
        NATSCOPE_TRY(const auto files, text_files(options_.data));
        NATSCOPE_CHECK(train_tokenizer(files, training, job_.tokenizer(), stop_));
      }
    }
    return Tokenizer::load(job_.tokenizer());
  }

  Expected<void> prepare_state(std::size_t size) {
    remove_unfinished_checkpoints(job_.checkpoints());
    if (const auto checkpoint = newest_valid_checkpoint(job_.checkpoints())) {
      NATSCOPE_TRY(state_, read_checkpoint(*checkpoint, layout()));
      say("resuming after step " + std::to_string(state_.step));
    } else {
      state_.weights = initial_parameters(config_, layout(), options_.seed);
      state_.first_moment.assign(size, 0.0F);
      state_.second_moment.assign(size, 0.0F);
    }
    NATSCOPE_CHECK(job_.rewind_progress(state_.step));
    model_->set_weights(state_.weights);
    saved_step_ = state_.step;
    return {};
  }

  /// One optimiser step; the loss. The state changes only when every part of the gradient is there.
  Expected<double> step() {
    const auto begun = Clock::now();
    const std::int64_t number = state_.step + 1;
    std::fill(gradient_.begin(), gradient_.end(), 0.0F);
    PassResult sum;
    StepContext context;
    context.seed = options_.seed;
    context.step = number;
    context.loss_scale = 1.0 / static_cast<double>(tokens_per_step());
    context.applied_sparsity = applied_sparsity(options_.sparse_regularized_value, tokens_per_step());
    for (int first = 0; first < options_.batch; first += options_.micro_batch) {
      for (int i = 0; i < options_.micro_batch; ++i) {
        const auto at = static_cast<std::size_t>(i) * static_cast<std::size_t>(options_.context);
        const auto length = static_cast<std::size_t>(options_.context);
        order_->read(state_.step * options_.batch + first + i, std::span(tokens_).subspan(at, length),
                     std::span(targets_).subspan(at, length));
      }
      context.first_row = std::int64_t{first} * options_.context;
      NATSCOPE_TRY(const PassResult pass, model_->forward_backward({tokens_, targets_}, context, gradient_, stop_));
      sum.nll += pass.nll;
      sum.sampled.add(pass.sampled);
      sum.argmax.add(pass.argmax);
    }
    StepReport report;
    report.loss = sum.nll * context.loss_scale;
    if (!std::isfinite(report.loss)) {
      return fail(ErrorCode::bad_job, "the loss of step " + std::to_string(number) + " is not a number",
                  "lower --lr or raise --warmup");
    }
    const OptimizerReport update = optimizer_step(options_, steps_, number, layout(), gradient_, state_);
    state_.step = number;
    model_->set_weights(state_.weights);

    report.step = number;
    report.steps = steps_;
    report.learning_rate = update.learning_rate;
    report.gradient_norm = update.gradient_norm;
    const double seconds = seconds_since(begun);
    mean_step_s_ = mean_step_s_ == 0.0 ? seconds : 0.95 * mean_step_s_ + 0.05 * seconds;
    report.tokens_per_s = static_cast<double>(tokens_per_step()) / seconds;
    report.eta_s = mean_step_s_ * static_cast<double>(steps_ - number);
    report.has_roles = config_.nats.has_value();
    report.sampled = sum.sampled.total();
    report.argmax = sum.argmax.total();
    NATSCOPE_CHECK(job_.append_progress(progress_json(report)));
    NATSCOPE_CHECK(job_.write_running_status(number, steps_));
    if (listener_.step) listener_.step(report);
    return report.loss;
  }

  Expected<void> save() {
    const auto begun = Clock::now();
    NATSCOPE_CHECK(write_checkpoint(job_.checkpoints(), layout(), state_, options_.checkpoints_kept));
    saved_step_ = state_.step;
    checkpoint_s_ = seconds_since(begun);
    return {};
  }

  Expected<Evaluation> evaluate(bool last) {
    const int segments = options_.evaluate_segments * (last ? 4 : 1);
    NATSCOPE_TRY(Evaluation evaluation,
                 evaluate_held_out(*model_, config_, options_.micro_batch, *held_out_text_, segments, stop_));
    evaluation.step = state_.step;
    NATSCOPE_CHECK(job_.append_progress(progress_json(evaluation, config_.kv_heads)));
    say(evaluation_text(evaluation));
    if (listener_.evaluated) listener_.evaluated(evaluation);
    return evaluation;
  }

  /// Ends between two steps, because somebody wrote it into the folder.
  Unexpected stop_on_request(jobs::StopMode mode) {
    if (state_.step > saved_step_) {
      if (auto saved = save(); !saved) return Unexpected(std::move(saved).error());
    }
    const bool keep = mode == jobs::StopMode::keep_model;
    if (keep) {
      auto kept = export_model(options_.out, config_, layout(), state_.weights, options_.dtype, job_.tokenizer());
      if (!kept) return Unexpected(std::move(kept).error());
      say("the model of step " + std::to_string(state_.step) + ": " + options_.out.string());
    }
    jobs::withdraw_stop_request(job_.path());
    stopped_on_request_ = true;
    return fail(ErrorCode::interrupted,
                "training stopped after step " + std::to_string(state_.step) + ", as asked" +
                    (keep ? "; the model of that step is in " + options_.out.string() : ""),
                "--resume goes on from there");
  }

  /// Ends a run that failed or was stopped; what is done is kept where that costs no time.
  Unexpected give_up(Error error) {
    if (error.code == ErrorCode::interrupted) {
      const double estimate = checkpoint_s_ > 0.0 ? checkpoint_s_ : static_cast<double>(layout().size) * 12.0 / 2e8;
      if (state_.step > saved_step_ && estimate < checkpoint_budget_s) static_cast<void>(save());
      error = make_error(
          ErrorCode::interrupted,
          "training stopped after step " + std::to_string(state_.step) +
              (saved_step_ > 0 ? "; checkpoint of step " + std::to_string(saved_step_) : "; no checkpoint yet"),
          "--resume goes on from there");
    }
    return Unexpected(std::move(error));
  }

  TrainOptions options_;
  JobFolder job_;
  const TrainListener& listener_;
  StopToken stop_;
  ModelConfig config_;
  std::optional<Corpus> train_text_;
  std::optional<Corpus> held_out_text_;
  std::optional<SegmentOrder> order_;
  std::optional<TrainingModel> model_;
  TrainingState state_;
  std::vector<float> gradient_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::int32_t> targets_;
  std::int64_t steps_ = 0;
  std::int64_t saved_step_ = 0;
  double mean_step_s_ = 0.0;
  double checkpoint_s_ = 0.0;
  bool stopped_on_request_ = false;
};

Expected<TrainOptions> options_of_job(const fs::path& job, TrainOptions given, bool resume) {
  if (job.empty()) return fail(ErrorCode::usage, "no folder for the run", "name one with --out or --job");
  if (!resume) {
    if (JobFolder::exists(job)) {
      return fail(ErrorCode::usage, printable(job.string()) + " already holds a run",
                  "add --resume to go on with it, or choose another folder");
    }
    return resolve(std::move(given));
  }
  if (!JobFolder::exists(job)) {
    return fail(ErrorCode::bad_job, printable(job.string()) + " holds no run to resume (no spec.json)",
                "start it without --resume");
  }
  NATSCOPE_TRY(const auto spec, JobFolder::read_spec(job));
  NATSCOPE_TRY(TrainOptions stored, options_from_json(spec));
  stored.job = job;
  auto resolved = resolve(std::move(stored));
  if (!resolved) return fail(ErrorCode::bad_job, "spec.json: " + resolved.error().message, resolved.error().hint);
  return resolved;
}

}  // namespace

double Evaluation::perplexity() const { return std::exp(nll); }

Expected<TrainResult> train(TrainOptions options, bool resume, const TrainListener& listener, const StopToken& stop) {
  const fs::path folder = options.job;
  NATSCOPE_TRY(TrainOptions settled, options_of_job(folder, std::move(options), resume));
  if (settled.out.empty()) settled.out = folder / "model";
  // What is missing is found before a folder is made for the run.
  NATSCOPE_CHECK(text_files(settled.data));
  if (!settled.valid.empty()) NATSCOPE_CHECK(text_files(settled.valid));
  NATSCOPE_TRY(JobFolder job, JobFolder::create(folder));
  if (!resume) NATSCOPE_CHECK(job.write_spec(options_json(settled)));

  Run run(settled, std::move(job), listener, stop);
  auto work = [&]() -> Expected<TrainResult> {
    // Until the checkpoint is read, the step that was reached before is what is known.
    const auto before = jobs::read_job_status(folder);
    NATSCOPE_CHECK(run.job().write_status(JobState::running, before ? before->step : 0, settled.steps));
    NATSCOPE_CHECK(run.prepare());
    return run.go();
  };
  Expected<TrainResult> result = work();
  if (!result) {
    Error& error = result.error();
    if (error.code == ErrorCode::disk_full) {
      error.message += run.saved_step() > 0
                           ? "; the checkpoint of step " + std::to_string(run.saved_step()) + " is intact"
                           : "; there is no checkpoint yet";
      error.hint = "free some space; --resume goes on from the last checkpoint";
    }
    const JobState state = run.stopped_on_request()               ? JobState::stopped
                           : error.code == ErrorCode::interrupted ? JobState::interrupted
                                                                  : JobState::failed;
    const std::string line = format_error_line(error);
    // The status first: it gives up the reserve that the log's line may need on a full disk.
    static_cast<void>(run.job().write_status(state, run.finished_steps(), run.steps(),
                                             state == JobState::stopped ? std::string() : line));
    static_cast<void>(run.job().log(line));
  }
  return result;
}

}  // namespace natscope::train
