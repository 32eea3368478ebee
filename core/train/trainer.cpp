// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/mapped_file.h"
#include "core/base/sha256.h"
#include "core/io/model_folder.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_spec.h"
#include "core/tokenizer/tokenizer.h"
#include "core/tokenizer/tokenizer_trainer.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/held_out.h"
#include "core/train/job_options.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/passes/gradient_all_reduce.h"
#include "core/train/passes/training_device.h"
#include "core/train/passes/training_model.h"
#include "core/train/ranks/shared_step.h"
#include "core/train/run_folders.h"
#include "core/train/schedule.h"
#include "core/train/text/corpus.h"
#include "core/train/training_loop.h"
#include "core/train/weights/model_export.h"
#include "core/train/weights/weights_of_model.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using jobs::JobFolder;

/// A model from nothing, on packed segments of text.
class FromScratch final : public TrainingTask {
 public:
  FromScratch(TrainOptions options, const JobFolder& job, const StopToken& stop, RankGroup& ranks)
      : options_(std::move(options)), job_(job), stop_(stop), ranks_(ranks) {}

  Expected<void> prepare(const Say& say) override {
    NATSCOPE_CHECK(prepare_device(options_.device, ranks_));
    NATSCOPE_TRY(options_.micro_batch, micro_batch_of_rank());
    // The leading rank writes vocabulary and tokens of the text into the folder, where the others then find them.
    if (!ranks_.leads()) NATSCOPE_CHECK(ranks_.barrier());
    NATSCOPE_CHECK(read_texts(say));
    if (ranks_.leads()) NATSCOPE_CHECK(ranks_.barrier());
    NATSCOPE_TRY(model_, make_model(say));
    // A run that goes on does not need the folder that it began with.
    NATSCOPE_TRY(const auto checkpoint, newest_valid_checkpoint(job_.checkpoints()));
    if (!options_.init.empty() && !checkpoint) {
      given_weights_ = initial_parameters(config_, layout(), options_.seed, options_.score_init);
      NATSCOPE_CHECK(read_weights_of_model(options_.init, config_, layout(), given_weights_));
    }
    tokens_.resize(static_cast<std::size_t>(options_.micro_batch) * static_cast<std::size_t>(options_.context));
    targets_.resize(tokens_.size());
    say("text " + std::to_string(train_text_->tokens().size()) + " tokens of " +
        std::to_string(train_text_->bytes_per_token()).substr(0, 4) + " bytes, " +
        std::to_string(layout().parameter_count()) + " parameters, " + std::to_string(steps_) + " steps of " +
        std::to_string(tokens_per_step()) + " tokens");
    return {};
  }

  [[nodiscard]] RunInputs inputs() const override {
    RunInputs inputs{{"training text", sha256_hex(std::as_bytes(train_text_->tokens()))}};
    if (held_out_text_) inputs["held-out text"] = sha256_hex(std::as_bytes(held_out_text_->tokens()));
    return inputs;
  }
  [[nodiscard]] const ParameterLayout& layout() const override { return model_->layout(); }
  [[nodiscard]] std::vector<float> initial_weights() const override {
    if (!given_weights_.empty()) return given_weights_;
    return initial_parameters(config_, layout(), options_.seed, options_.score_init);
  }
  void set_weights(std::span<const float> weights) override { model_->set_weights(weights); }
  [[nodiscard]] DeviceTrainingState* device_state() override { return model_->device_state(); }
  [[nodiscard]] std::int64_t steps() const override { return steps_; }
  [[nodiscard]] std::int64_t tokens_until(std::int64_t step) const override { return step * tokens_per_step(); }
  [[nodiscard]] int kv_heads() const override { return config_.kv_heads; }
  [[nodiscard]] bool has_held_out() const override { return held_out_text_.has_value(); }
  [[nodiscard]] fs::path out() const override { return options_.out; }

  Expected<StepReport> add_gradient(std::int64_t number, std::span<float> gradient) override {
    PassResult sum;
    StepContext context;
    context.seed = options_.seed;
    context.step = number;
    context.loss_scale = 1.0 / static_cast<double>(tokens_per_step());
    context.applied_sparsity = applied_sparsity(options_.sparse_regularized_value, tokens_per_step());
    context.local_charge = options_.local_charge;
    const GradientAllReduce sums(ranks_, gradient, device_state());
    const int stride = options_.micro_batch * ranks_.size();
    for (int first = ranks_.rank() * options_.micro_batch; first < options_.batch; first += stride) {
      for (int i = 0; i < options_.micro_batch; ++i) {
        const auto at = static_cast<std::size_t>(i) * static_cast<std::size_t>(options_.context);
        const auto length = static_cast<std::size_t>(options_.context);
        order_->read((number - 1) * options_.batch + first + i, std::span(tokens_).subspan(at, length),
                     std::span(targets_).subspan(at, length));
      }
      context.first_row = std::int64_t{first} * options_.context;
      if (first + stride >= options_.batch) context.gradient_ready = sums.of_last_pass();
      NATSCOPE_TRY(const PassResult pass, model_->forward_backward({tokens_, targets_}, context, gradient, stop_));
      sum.nll += pass.nll;
      sum.sampled.add(pass.sampled);
      sum.argmax.add(pass.argmax);
    }
    NATSCOPE_CHECK(sums.finish());
    NATSCOPE_CHECK(all_reduce(ranks_, {&sum.nll, 1}, sum.sampled, sum.argmax));
    StepReport report;
    report.tokens = tokens_per_step();
    report.loss = sum.nll * context.loss_scale;
    report.has_roles = config_.nats.has_value();
    report.sampled = sum.sampled.total();
    report.argmax = sum.argmax.total();
    return report;
  }

  [[nodiscard]] OptimizerOptions optimizer(std::int64_t number) const override {
    const double rate = learning_rate(
        {options_.learning_rate, options_.final_learning_rate_ratio, options_.warmup_steps, steps_}, number);
    return {rate, options_.beta1, options_.beta2, options_.weight_decay, options_.clip};
  }

  Expected<Evaluation> evaluate(bool last) override {
    const int segments = options_.evaluate_segments * (last ? 4 : 1);
    return evaluate_held_out(*model_, config_, options_.micro_batch, *held_out_text_, *tokenizer_, segments, stop_);
  }

  Expected<void> write_model(std::span<const float> weights) const override {
    return export_model(options_.out, config_, layout(), weights, options_.dtype, job_.tokenizer(), options_.policy);
  }

 private:
  /// Vocabulary, texts, and the steps that they make.
  Expected<void> read_texts(const Say& say) {
    NATSCOPE_TRY(tokenizer_, prepare_tokenizer(say));
    const Tokenizer& tokenizer = *tokenizer_;
    config_ = model_config(options_, tokenizer);

    NATSCOPE_TRY(const MappedFile vocabulary, MappedFile::open(job_.tokenizer()));
    const std::string tokenizer_sha256 = sha256_hex(vocabulary.bytes());
    NATSCOPE_TRY(const auto files, text_files(options_.data));
    say("reading the training text: " + text_files_text(options_.data, files.size()));
    NATSCOPE_TRY(train_text_,
                 Corpus::read_cached(files, tokenizer, tokenizer_sha256, job_.path() / "train.tokens", stop_));
    NATSCOPE_TRY(order_, SegmentOrder::make(train_text_->tokens(), options_.context, options_.seed));
    if (!options_.valid.empty()) {
      NATSCOPE_TRY(const auto held_out_files, text_files(options_.valid));
      NATSCOPE_TRY(held_out_text_, Corpus::read_cached(held_out_files, tokenizer, tokenizer_sha256,
                                                       job_.path() / "valid.tokens", stop_));
      NATSCOPE_CHECK(check_held_out(*held_out_text_, options_.context));
    }
    steps_ = options_.steps > 0
                 ? options_.steps
                 : std::max<std::int64_t>(
                       1, std::llround(options_.epochs * static_cast<double>(order_->segments_per_epoch()) /
                                       options_.batch));
    return {};
  }

  [[nodiscard]] Expected<TrainingModel> make_model(const Say& say) const {
    return make_on(options_.device, ranks_, say, [this](PassesOn passes) {
      return TrainingModel::create(config_, options_.dtype, options_.micro_batch,
                                   std::max(1, options_.threads / ranks_.local_size()), kernels::Backend::cpu,
                                   options_.policy, passes);
    });
  }

  /// Every rank computes the same number of micro-batches; what the options say is made smaller where it must be.
  [[nodiscard]] Expected<int> micro_batch_of_rank() const {
    const int ranks = ranks_.size();
    NATSCOPE_CHECK(check_shared_batch(options_.batch, ranks));
    const int each = options_.batch / ranks;
    return each % options_.micro_batch == 0 ? options_.micro_batch : std::gcd(each, options_.micro_batch);
  }

  [[nodiscard]] std::int64_t tokens_per_step() const { return std::int64_t{options_.batch} * options_.context; }

  /// The job's own copy of the vocabulary: given, trained, or there from before.
  Expected<Tokenizer> prepare_tokenizer(const Say& say) {
    std::error_code problem;
    if (!fs::exists(job_.tokenizer(), problem)) {
      if (!options_.tokenizer.empty()) {
        NATSCOPE_TRY(const MappedFile file, MappedFile::open(options_.tokenizer));
        NATSCOPE_CHECK(Tokenizer::load(options_.tokenizer));  // no copy is made of what is none
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

  TrainOptions options_;
  const JobFolder& job_;
  StopToken stop_;
  RankGroup& ranks_;
  ModelConfig config_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<Corpus> train_text_;
  std::optional<Corpus> held_out_text_;
  std::optional<SegmentOrder> order_;
  std::optional<TrainingModel> model_;
  std::vector<float> given_weights_;  // of `init`
  std::vector<std::int32_t> tokens_;
  std::vector<std::int32_t> targets_;
  std::int64_t steps_ = 0;
};

/// The vocabulary that a run is to use; empty: it trains one.
fs::path chosen_vocabulary(const TrainOptions& options) {
  return options.tokenizer.empty() && !options.init.empty() ? options.init / "tokenizer.model" : options.tokenizer;
}

/// What is missing is found before a folder is made for the run. A run that goes on has its vocabulary, and weights.
Expected<void> check_inputs(const TrainOptions& settled, bool resume) {
  NATSCOPE_CHECK(text_files(settled.data));
  if (!settled.valid.empty()) NATSCOPE_CHECK(text_files(settled.valid));
  if (resume) return {};
  if (!settled.init.empty()) NATSCOPE_CHECK(ModelFolder::open(settled.init));
  if (const fs::path vocabulary = chosen_vocabulary(settled); !vocabulary.empty()) {
    NATSCOPE_CHECK(MappedFile::open(vocabulary));
    NATSCOPE_CHECK(Tokenizer::load(vocabulary));
  }
  return {};
}

}  // namespace

Expected<TrainOptions> checked(TrainOptions options) {
  NATSCOPE_TRY(TrainOptions settled, resolve(std::move(options)));
  NATSCOPE_CHECK(check_inputs(settled, false));
  NATSCOPE_CHECK(check_shared_batch(settled.batch, settled.ranks));
  if (!settled.out.empty())
    NATSCOPE_CHECK(check_model_folder({settled.job, settled.out, false, chosen_vocabulary(settled)}));
  return settled;
}

Expected<TrainResult> train(TrainOptions options, bool resume, const TrainListener& listener, const StopToken& stop,
                            RankGroup* group) {
  const auto alone = single_rank();
  RankGroup& ranks = group != nullptr ? *group : *alone;
  const fs::path folder = options.job;
  if (ranks.leads()) NATSCOPE_CHECK(check_job_folder({folder, {}, resume, chosen_vocabulary(options)}));
  NATSCOPE_TRY(TrainOptions settled, options_of_job(folder, std::move(options), resume, options_from_json));
  settled.tokenizer = chosen_vocabulary(settled);
  if (settled.out.empty()) settled.out = folder / "model";
  if (ranks.leads()) NATSCOPE_CHECK(check_model_folder({folder, settled.out, resume, settled.tokenizer}));
  NATSCOPE_CHECK(check_inputs(settled, resume));
  NATSCOPE_CHECK(jobs::spec_text(options_json(settled)));
  NATSCOPE_TRY(JobFolder job, ranks.leads() ? JobFolder::create(folder) : JobFolder::beside(folder));
  if (!resume && ranks.leads()) {
    // A run that failed here before may have made another one; check_job_folder() refuses what is not a run's.
    std::error_code problem;
    if (!fs::equivalent(job.tokenizer(), settled.tokenizer, problem)) fs::remove(job.tokenizer(), problem);
    NATSCOPE_CHECK(job.write_spec(options_json(settled)));
  }

  FromScratch task(settled, job, stop, ranks);
  return run_job(task, job, {settled.checkpoint_every, settled.checkpoints_kept, settled.evaluate_every}, settled.steps,
                 listener, stop, ranks);
}

}  // namespace natscope::train
