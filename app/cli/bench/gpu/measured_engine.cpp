// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/measured_engine.h"

#include <algorithm>

namespace natscope::bench {
namespace {

constexpr std::int32_t step_token = 17;

std::vector<std::int32_t> some_tokens(std::int64_t first, std::int64_t count) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<std::int32_t>(3 + (static_cast<std::size_t>(first) + i) * 7919 % 4000);
  return tokens;
}

}  // namespace

ModelShape with_context(ModelShape shape, std::int64_t tokens) {
  shape.context = static_cast<int>(tokens + most_steps);
  return shape;
}

Expected<std::unique_ptr<Engine>> open_engine_on(const GpuRun& run, const RandomModelFolder& folder,
                                                 const MeasuredEngine& engine) {
  EngineOptions options;
  options.model = folder.path();
  options.device = Device::cuda;
  options.dtype = measured_dtype;
  options.threads = run.context.threads;
  options.trace_store_bytes = engine.store_bytes;
  options.prompt_attention = engine.attention;
  options.device_module = run.context.device_module;
  return Engine::open(options, run.context.stop);
}

Expected<std::vector<double>> fill(const GpuRun& run, std::span<Engine* const> engines, std::int64_t depth,
                                   double budget_s) {
  PrefillOptions options;
  options.chunk = run.scale.chunk;
  std::vector<double> spent_s(engines.size());
  double all_spent_s = 0;
  for (std::int64_t done = 0; done < depth;) {
    const std::vector<std::int32_t> tokens = some_tokens(done, std::min(options.chunk, depth - done));
    double round_s = 0;
    for (std::size_t i = 0; i < engines.size(); ++i) {
      Expected<void> filled;
      const double seconds = seconds_of([&] { filled = engines[i]->prefill(tokens, options, run.context.stop); });
      NATSCOPE_CHECK(std::move(filled));
      spent_s[i] += seconds;
      round_s += seconds;
    }
    all_spent_s += round_s;
    done += static_cast<std::int64_t>(tokens.size());
    const double rest_s = static_cast<double>(depth - done) / static_cast<double>(tokens.size()) * round_s;
    if (done >= 2 * options.chunk && all_spent_s + rest_s > budget_s) {
      return fail(ErrorCode::device_unavailable, "a prefill of " + std::to_string(depth) + " tokens does not end in " +
                                                     std::to_string(static_cast<int>(budget_s)) +
                                                     " s here: " + std::to_string(done) + " took " +
                                                     std::to_string(all_spent_s) + " s");
    }
  }
  return spent_s;
}

TimedStep steps_of(const GpuRun& run, Engine& engine, std::int32_t candidates) {
  return [&run, &engine, candidates]() -> Expected<double> {
    Expected<void> done;
    const double seconds = seconds_of([&] { done = engine.step(step_token, true, candidates, run.context.stop); });
    NATSCOPE_CHECK(std::move(done));
    return seconds;
  };
}

std::int64_t weight_bytes(const ModelShape& shape) {
  return shape.matrix_elements() * kernels::element_bytes(measured_dtype);
}

double step_bytes(const Engine& engine, const ModelShape& shape) {
  return static_cast<double>(weight_bytes(shape) + engine.counts().live_bytes);
}

std::string size_text(const GpuRun& run, const char* shape, std::int64_t depth) {
  return std::string(shape) + " shape on " + run.report.gpu + ", bf16, T = " + std::to_string(depth);
}

}  // namespace natscope::bench
