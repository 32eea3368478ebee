// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/finetuner.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <string>

#include "core/base/sha256.h"
#include "core/jobs/job_folder.h"
#include "core/jobs/job_spec.h"
#include "core/train/distillation/distillation_model.h"
#include "core/train/job_options.h"
#include "core/train/memory_forecast.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/passes/gradient_all_reduce.h"
#include "core/train/passes/training_device.h"
#include "core/train/random/counter_random.h"
#include "core/train/random/epoch_order.h"
#include "core/train/ranks/shared_step.h"
#include "core/train/run_folders.h"
#include "core/train/text/corpus.h"
#include "core/train/text/document_set.h"
#include "core/train/text/passkey.h"
#include "core/train/training_loop.h"
#include "core/train/weights/adapter_export.h"

namespace natscope::train {

namespace {

namespace fs = std::filesystem;
using jobs::JobFolder;

constexpr std::int64_t shortest_passkey = 256;  // shorter ones have room for nothing

std::string digest_of(const std::vector<Document>& documents) {
  Sha256 digest;
  for (const Document& document : documents) {
    const std::int64_t sizes[] = {document.size(), static_cast<std::int64_t>(document.counted.size())};
    digest.update(std::as_bytes(std::span(sizes)));
    digest.update(std::as_bytes(std::span(document.tokens)));
    digest.update(std::as_bytes(std::span(document.counted)));
  }
  return digest.hex_digest();
}

class Finetuning final : public TrainingTask {
 public:
  Finetuning(FinetuneOptions options, const StopToken& stop, RankGroup& ranks)
      : options_(std::move(options)), stop_(stop), ranks_(ranks) {}

  Expected<void> prepare(const Say& say) override {
    NATSCOPE_CHECK(prepare_device(options_.device, ranks_));
    NATSCOPE_CHECK(check_shared_batch(options_.batch, ranks_.size()));
    options_.threads = std::max(1, options_.threads / ranks_.local_size());
    at::set_num_threads(options_.threads);
    NATSCOPE_TRY(base_, ModelFolder::open(options_.model));
    // For inputs(), before there is anything large: what OpenSSL begins with would lie between that in the heap for good.
    static_cast<void>(base_->sha256());
    Device computes = Device::cpu;  // what the forecast is for
    NATSCOPE_TRY(model_, make_on(options_.device, ranks_, say, [&](PassesOn passes) {
                   computes = passes == PassesOn::gpu ? Device::cuda : Device::cpu;
                   return DistillationModel::create(*base_, options_, passes);
                 }));
    form_ = {&base_->tokenizer(), base_->bos_id(), longest_document(options_, base_->config().context), &*base_};
    if (form_.length < 2) return fail(ErrorCode::usage, "documents of one token", "give --length 2 or more");
    NATSCOPE_TRY(const auto files, text_files(options_.data));
    say("reading the documents: " + text_files_text(options_.data, files.size()));
    NATSCOPE_TRY(documents_, read_documents(options_.data, form_, stop_));
    if (!options_.valid.empty()) {
      NATSCOPE_TRY(held_out_, read_documents(options_.valid, form_, stop_));
    }
    order_.emplace(documents_.size(), options_.seed, random_purpose::document_order);
    if (options_.passkey > 0) gather_text();
    if (options_.passkey > 0 && (form_.length < shortest_passkey || text_.empty())) {
      say(text_.empty()
              ? std::string("no pass keys: there is no plain text to hide them in")
              : "no pass keys: documents of " + std::to_string(form_.length) + " tokens have no room for them");
      options_.passkey = 0;
    }
    const MemoryForecast memory = forecast_memory(
        base_->config(), options_, computes,
        {static_cast<std::int64_t>(base_->weight_bytes()), base_->weight_dtype(), text_bytes(options_), text_tokens()});
    say("forecast: about " + std::to_string(memory.total_bytes() >> 20) + " MiB of " +
        (memory.on_gpu ? "the GPU's memory, which no run was held to yet" : "memory"));
    say(std::to_string(documents_.size()) + (documents_.size() == 1 ? " document" : " documents") + " of up to " +
        std::to_string(form_.length) + " tokens, " + std::to_string(layout().parameter_count()) +
        " parameters to train, " + std::to_string(options_.steps) + " steps");
    return {};
  }

  [[nodiscard]] RunInputs inputs() const override {
    RunInputs inputs{{"base model", base_->sha256()}, {"training text", digest_of(documents_)}};
    if (!held_out_.empty()) inputs["held-out text"] = digest_of(held_out_);
    return inputs;
  }
  [[nodiscard]] const ParameterLayout& layout() const override { return model_->layout(); }
  [[nodiscard]] std::vector<float> initial_weights() const override { return model_->initial_weights(options_.seed); }
  void set_weights(std::span<const float> weights) override { model_->set_weights(weights); }
  [[nodiscard]] DeviceTrainingState* device_state() override { return model_->device_state(); }
  [[nodiscard]] std::int64_t steps() const override { return options_.steps; }
  [[nodiscard]] int kv_heads() const override { return base_->config().kv_heads; }
  [[nodiscard]] bool has_held_out() const override { return !held_out_.empty(); }
  [[nodiscard]] fs::path out() const override { return options_.out; }
  [[nodiscard]] std::string calmer() const override { return "lower --lr or --lambda"; }

  [[nodiscard]] std::int64_t tokens_until(std::int64_t step) const override {
    std::int64_t tokens = 0;
    EpochOrder order(documents_.size(), options_.seed, random_purpose::document_order);
    for (std::int64_t n = 0; n < step * options_.batch; ++n) {
      const auto made = passkey_form(n);
      tokens += made ? passkey_tokens(*made) : documents_[order[n]].size();
    }
    return tokens;
  }

  Expected<StepReport> add_gradient(std::int64_t number, std::span<float> gradient) override {
    StepReport report;
    RoleStatistics sampled, argmax;
    DistillContext context;
    context.seed = options_.seed;
    context.step = number;
    context.scale = 1.0 / options_.batch;
    context.applied_sparsity = options_.sparse_regularized_value / options_.batch;
    const GradientAllReduce sums(ranks_, gradient, device_state());
    std::int64_t first_row = 0;
    for (int i = 0; i < options_.batch; ++i) {
      NATSCOPE_TRY(const Document document, document_of((number - 1) * options_.batch + i));
      // The noise of a document's roles depends on the rows before it, whoever computes those.
      context.first_row = first_row;
      first_row += document.size();
      if (i % ranks_.size() != ranks_.rank()) continue;
      if (i + ranks_.size() >= options_.batch) context.gradient_ready = sums.of_last_pass();
      NATSCOPE_TRY(const DistillPass pass, model_->forward_backward(document, context, gradient, stop_));
      report.tokens += pass.tokens;
      report.loss += pass.distance / options_.batch;
      sampled.add(pass.sampled);
      argmax.add(pass.argmax);
    }
    NATSCOPE_CHECK(sums.finish());
    std::array<double, 2> totals{static_cast<double>(report.tokens), report.loss};
    NATSCOPE_CHECK(all_reduce(ranks_, totals, sampled, argmax));
    report.tokens = static_cast<std::int64_t>(totals[0]);
    report.loss = totals[1];
    report.is_distance = true;
    report.has_roles = true;
    report.sampled = sampled.total();
    report.argmax = argmax.total();
    return report;
  }

  [[nodiscard]] OptimizerOptions optimizer(std::int64_t number) const override {
    const double rate = finetune_learning_rate(options_.learning_rate, options_.steps, number);
    return {rate, options_.beta1, options_.beta2, options_.weight_decay, options_.clip};
  }

  Expected<Evaluation> evaluate(bool last) override {
    const std::size_t wanted =
        std::min(held_out_.size(), static_cast<std::size_t>(options_.evaluate_documents) * (last ? 4 : 1));
    Evaluation evaluation;
    double nll = 0, full_nll = 0, distance = 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < wanted; ++i) {
      const Document& document = held_out_[i * held_out_.size() / wanted];
      NATSCOPE_TRY(const DistillPass pass, model_->evaluate(document, stop_));
      nll += pass.nll;
      full_nll += pass.full_nll;
      distance += pass.distance / static_cast<double>(wanted);
      evaluation.tokens += pass.predicted;
      // Of what is predicted: all but what it begins with.
      const std::size_t first = form_.bos ? 0 : form_.tokenizer->piece_bytes(document.tokens.front()).size();
      bytes += document.bytes - std::min<std::uint64_t>(document.bytes, first);
      evaluation.roles.add(pass.argmax);
    }
    const auto tokens = static_cast<double>(evaluation.tokens);
    evaluation.nll = nll / tokens;
    evaluation.full_nll = full_nll / tokens;
    evaluation.distance = distance;
    evaluation.bits_per_byte = bytes == 0 ? 0.0 : nll / std::numbers::ln2 / static_cast<double>(bytes);
    evaluation.has_roles = true;
    return evaluation;
  }

  Expected<void> write_model(std::span<const float> weights) const override {
    return export_finetuned(options_.out, *base_, options_, layout(), weights);
  }

 private:
  [[nodiscard]] std::int64_t text_tokens() const {
    std::int64_t tokens = 0;
    for (const std::vector<Document>* const documents : {&documents_, &held_out_}) {
      for (const Document& document : *documents) tokens += document.size();
    }
    return tokens;
  }

  /// Of all documents of plain text, without the beginning token, which has no place inside a text.
  void gather_text() {
    const auto is_plain = [](const Document& document) { return document.counted.empty(); };
    std::size_t tokens = 0;
    for (const Document& document : documents_) tokens += is_plain(document) ? document.tokens.size() : 0;
    text_.reserve(tokens);
    for (const Document& document : documents_) {
      if (is_plain(document))
        text_.insert(text_.end(), document.tokens.begin() + (form_.bos ? 1 : 0), document.tokens.end());
    }
  }

  /// What is made in the place of the n-th document; nothing where that is one of the text.
  [[nodiscard]] std::optional<PasskeyForm> passkey_form(std::int64_t n) const {
    const CounterRandom random(options_.seed, random_purpose::document_kind, static_cast<std::uint64_t>(n));
    if (static_cast<double>(random.uniform(0)) >= options_.passkey) return std::nullopt;
    PasskeyForm form;
    const std::int64_t shortest = std::max(shortest_passkey, form_.length / 16);
    form.length =
        shortest + static_cast<std::int64_t>(random.bits(1) % static_cast<std::uint64_t>(form_.length - shortest + 1));
    form.keys = options_.passkey_keys;
    form.seed = options_.seed;
    form.number = static_cast<std::uint64_t>(n);
    return form;
  }

  /// Of less text than fits a document is shorter than its form.
  [[nodiscard]] std::int64_t passkey_tokens(const PasskeyForm& form) const {
    if (static_cast<std::int64_t>(text_.size()) >= form.length) return form.length;
    const auto made = passkey_document(text_, form, *form_.tokenizer, form_.bos);
    return made ? made->document.size() : form.length;
  }

  [[nodiscard]] Expected<Document> document_of(std::int64_t n) {
    const auto form = passkey_form(n);
    if (!form) return documents_[(*order_)[n]];
    NATSCOPE_TRY(PasskeyDocument made, passkey_document(text_, *form, *form_.tokenizer, form_.bos));
    return std::move(made.document);
  }

  FinetuneOptions options_;
  StopToken stop_;
  RankGroup& ranks_;
  std::optional<ModelFolder> base_;
  std::optional<DistillationModel> model_;
  DocumentForm form_;
  std::vector<Document> documents_, held_out_;
  std::vector<std::int32_t> text_;  // of all documents, to hide keys in
  std::optional<EpochOrder> order_;
};

/// What is missing is found before a folder is made for the run.
Expected<void> check_inputs(const FinetuneOptions& settled) {
  NATSCOPE_CHECK(text_files(settled.data));
  if (!settled.valid.empty()) NATSCOPE_CHECK(text_files(settled.valid));
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(settled.model));
  return DistillationModel::check_base(base);
}

}  // namespace

Expected<FinetuneOptions> checked(FinetuneOptions options) {
  NATSCOPE_TRY(FinetuneOptions settled, resolve(std::move(options)));
  NATSCOPE_CHECK(check_inputs(settled));
  NATSCOPE_CHECK(check_shared_batch(settled.batch, settled.ranks));
  if (!settled.out.empty()) NATSCOPE_CHECK(check_model_folder({settled.job, settled.out, false, {}}));
  return settled;
}

Expected<TrainResult> finetune(FinetuneOptions options, bool resume, const TrainListener& listener,
                               const StopToken& stop, RankGroup* group) {
  const auto alone = single_rank();
  RankGroup& ranks = group != nullptr ? *group : *alone;
  const fs::path folder = options.job;
  if (ranks.leads()) NATSCOPE_CHECK(check_job_folder({folder, {}, resume, {}}));
  NATSCOPE_TRY(FinetuneOptions settled, options_of_job(folder, std::move(options), resume, finetune_options_from_json));
  if (settled.out.empty()) settled.out = folder / "model";
  if (ranks.leads()) NATSCOPE_CHECK(check_model_folder({folder, settled.out, resume, {}}));
  if (!resume) {
    NATSCOPE_CHECK(check_inputs(settled));
    NATSCOPE_CHECK(check_shared_batch(settled.batch, settled.ranks));
  }
  NATSCOPE_CHECK(jobs::spec_text(options_json(settled)));
  NATSCOPE_TRY(JobFolder job, ranks.leads() ? JobFolder::create(folder) : JobFolder::beside(folder));
  if (!resume && ranks.leads()) NATSCOPE_CHECK(job.write_spec(options_json(settled)));
  Finetuning task(settled, stop, ranks);
  return run_job(task, job, {settled.checkpoint_every, settled.checkpoints_kept, settled.evaluate_every}, settled.steps,
                 listener, stop, ranks);
}

}  // namespace natscope::train
