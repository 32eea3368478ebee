// SPDX-License-Identifier: GPL-3.0-or-later
/// Training on a device: an optimiser step from scratch, and one that teaches score layers to a large base.
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/cli/bench/gpu/measured_engine.h"
#include "app/cli/bench/training_work.h"
#include "core/io/model_folder.h"
#include "core/train/distillation/distillation_model.h"
#include "core/train/memory_forecast.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/passes/training_model.h"

namespace natscope::bench {
namespace {

constexpr train::OptimizerOptions optimizer{1e-4, 0.9, 0.95, 0.1, 1.0};

/// Dense bf16 products on tensor cores, as NVIDIA's data sheets say them. Longer names before what they begin with.
std::optional<double> data_sheet_flop_per_s(std::string_view gpu) {
  constexpr std::array sheets{std::pair{"H100 PCIe", 756e12}, std::pair{"H100 NVL", 835e12}, std::pair{"H100", 989e12},
                              std::pair{"H200 NVL", 835e12},  std::pair{"H200", 989e12},     std::pair{"A100", 312e12}};
  for (const auto& [name, flop_per_s] : sheets) {
    if (gpu.find(name) != std::string_view::npos) return flop_per_s;
  }
  return std::nullopt;
}

/// What one step reads and computes.
struct StepWork {
  double tokens = 0;
  double flop = 0;
};

/// The same steps as `rate` as a share of the data sheet's peak; nothing, and why, where no sheet is known here.
std::optional<Row> peak_row(GpuRun& run, const Row& rate, const StepWork& work) {
  const std::string name = rate.name + "_peak";
  const auto sheet = data_sheet_flop_per_s(run.report.gpu);
  if (!sheet) {
    if (run.context.wants(name))
      run.report.not_measured.push_back({name, "what the data sheet of " + run.report.gpu + " says is not known here"});
    return std::nullopt;
  }
  Row row;
  row.name = name;
  row.size = rate.size + ", of the data sheet's " + std::to_string(static_cast<int>(*sheet / 1e12)) + " TFLOP/s";
  row.value = 100 * rate.value / work.tokens * work.flop / *sheet;
  row.unit = "%";
  row.runs = rate.runs;
  row.spread = rate.spread;
  return row;
}

/// Tokens of a second beside what the product measured in the same run would allow, then the share of the data sheet's.
std::vector<Row> rate_rows(GpuRun& run, const char* name, const std::string& size, const PairedTimes& times,
                           const StepWork& work, const char* peak_target) {
  Row rate;
  rate.name = name;
  rate.size = size;
  rate.unit = "tokens/s";
  put_times(rate, times, [&work](double seconds) { return work.tokens / seconds; });
  if (run.report.gemm_bf16_flop_per_s) {
    rate.limit = work.tokens * *run.report.gemm_bf16_flop_per_s / work.flop;
    rate.fraction_of_limit = rate.value / *rate.limit;
  }
  std::vector<Row> rows;
  auto peak = peak_row(run, rate, work);
  rows.push_back(std::move(rate));
  if (peak) {
    peak->target = peak_target;
    rows.push_back(*std::move(peak));
  }
  return rows;
}

/// Forward, backward, clip, AdamW, all where the passes are, until the device has done it.
template <class Pass>
TimedStep optimizer_steps(const GpuRun& run, train::DeviceTrainingState& state, const Pass& pass) {
  return [&run, &state, pass, number = std::int64_t{0}]() mutable -> Expected<double> {
    Expected<void> done;
    ++number;
    const double seconds = seconds_of([&] {
      done = [&]() -> Expected<void> {
        NATSCOPE_CHECK(state.clear_gradient());
        NATSCOPE_CHECK(pass(number));
        NATSCOPE_CHECK(state.step(optimizer, number));
        if (run.torch) run.torch->wait();
        return {};
      }();
    });
    NATSCOPE_CHECK(std::move(done));
    return seconds;
  };
}

/// Weights to begin with, and no moments.
Expected<void> begin(train::DeviceTrainingState& state, std::vector<float> weights) {
  train::TrainingState initial;
  initial.weights = std::move(weights);
  initial.first_moment.assign(initial.weights.size(), 0.0F);
  initial.second_moment.assign(initial.weights.size(), 0.0F);
  return state.set(initial);
}

Expected<std::vector<Row>> from_scratch_rows(GpuRun& run, bool nats, double budget_s) {
  const int segments = run.scale.training_segments;
  const std::int64_t context = run.scale.training_context;
  NATSCOPE_TRY(const auto options,
               training_options(run.scale.small, segments, context, kernels::ElementType::bf16, !nats));
  const ModelConfig config = train::model_config(options);
  NATSCOPE_TRY(auto model, train::TrainingModel::create(config, options.dtype, segments, options.threads,
                                                        kernels::Backend::cpu, {}, run.passes));
  train::DeviceTrainingState& state = *model.device_state();
  NATSCOPE_CHECK(begin(state, train::initial_parameters(config, model.layout(), 0)));
  const std::int64_t count = segments * context;
  const auto tokens = training_tokens(count, config.vocab), targets = training_tokens(count, config.vocab, 1);
  train::StepContext step;
  step.loss_scale = 1.0 / static_cast<double>(count);
  step.applied_sparsity = train::applied_sparsity(5e-9, count);
  const auto steps = optimizer_steps(run, state, [&](std::int64_t number) -> Expected<void> {
    step.step = number;
    NATSCOPE_CHECK(model.forward_backward({tokens, targets}, step, {}, run.context.stop));
    return {};
  });
  NATSCOPE_TRY(const auto times, paired_steps(steps, {}, budget_s, run.context.stop));
  return rate_rows(run, nats ? "train_step_124m_gpu" : "train_step_124m_full_gpu",
                   "124 M shape on " + run.report.gpu + (nats ? ", learned roles" : ", full attention") +
                       ", bf16, T = " + std::to_string(context) + ", " + std::to_string(segments) + " segments a step",
                   times, {static_cast<double>(count), segments * training_flop(run.scale.small, context)},
                   "at least 40 %");
}

Row memory_row(const GpuRun& run, const ModelFolder& base, const train::FinetuneOptions& options,
               std::int64_t peak_bytes) {
  const auto forecast = train::forecast_memory(base.config(), options, Device::cuda,
                                               {static_cast<std::int64_t>(base.weight_bytes()), base.weight_dtype()});
  Row row;
  row.name = "finetune_memory_8b_8k";
  row.size = "8 B shape on " + run.report.gpu + ", bf16, T = " + std::to_string(run.scale.finetune_tokens) +
             ", what LibTorch's tensors held at most";
  row.value = static_cast<double>(peak_bytes) / 1e9;
  row.unit = "GB";
  row.reference = "the program's own forecast";
  row.ratio = static_cast<double>(forecast.total_bytes()) / static_cast<double>(peak_bytes);
  row.target = "a ratio of 0.95 to 1.1";
  row.runs = 1;
  return row;
}

}  // namespace

Expected<std::vector<Row>> train_step_gpu(GpuRun& run, double budget_s) {
  NATSCOPE_TRY(auto rows, from_scratch_rows(run, true, budget_s / 2));
  if (run.torch) run.torch->release_memory();
  NATSCOPE_TRY(auto full, from_scratch_rows(run, false, budget_s / 2));
  std::move(full.begin(), full.end(), std::back_inserter(rows));
  return rows;
}

Expected<std::vector<Row>> finetune_step_gpu(GpuRun& run, double budget_s) {
  const std::int64_t length = run.scale.finetune_tokens;
  NATSCOPE_TRY(const RandomModelFolder* const folder, large_folder(run));
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(folder->path()));
  train::FinetuneOptions options;
  options.dtype = kernels::ElementType::bf16;
  options.context = static_cast<int>(length);
  NATSCOPE_TRY(auto model, train::DistillationModel::create(base, options, run.passes));
  train::DeviceTrainingState& state = *model.device_state();
  NATSCOPE_CHECK(begin(state, model.initial_weights(0)));
  train::Document document;
  document.tokens = training_tokens(length, base.config().vocab);
  train::DistillContext context;
  context.applied_sparsity = options.sparse_regularized_value;
  const auto steps = optimizer_steps(run, state, [&](std::int64_t number) -> Expected<void> {
    context.step = number;
    NATSCOPE_CHECK(model.forward_backward(document, context, {}, run.context.stop));
    return {};
  });
  if (run.torch) run.torch->forget_peak();
  NATSCOPE_TRY(const auto times, paired_steps(steps, {}, budget_s / 2, run.context.stop));
  auto rows = rate_rows(run, "finetune_step_8b_8k",
                        "score layers of an 8 B shape on " + run.report.gpu + ", bf16, one document of " +
                            std::to_string(length) + " tokens",
                        times, {static_cast<double>(length), distillation_flop(run.scale.large, length)}, "");
  if (run.torch) {
    rows.push_back(memory_row(run, base, options, run.torch->peak_bytes()));
  } else if (run.context.wants("finetune_memory_8b_8k")) {
    run.report.not_measured.push_back({"finetune_memory_8b_8k", "only LibTorch's CUDA counts its memory"});
  }
  return rows;
}

}  // namespace natscope::bench
