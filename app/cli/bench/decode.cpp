// SPDX-License-Identifier: GPL-3.0-or-later
/// Decode: one token at a time through the cache, dense and with roles injected.
#include <string>

#include "app/cli/bench/benchmarks.h"
#include "app/cli/bench/libtorch_decoder.h"
#include "app/cli/bench/random_model.h"
#include "core/engine/engine.h"

namespace natscope::bench {
namespace {

constexpr int warm_up_steps = 4;
constexpr int steps_per_run = 8;
constexpr int runs = 9;
constexpr std::int64_t max_steps = warm_up_steps + steps_per_run * runs;
constexpr std::int32_t step_token = 17;

/// A model's sequence filled to a depth, ready for timed steps.
struct Decoder {
  std::unique_ptr<Engine> engine;

  [[nodiscard]] Expected<double> steps_s(int count, const Context& context) const {
    Expected<void> done;
    const double seconds = seconds_of([&] {
      for (int i = 0; i < count && done; ++i) done = engine->step(step_token, true, 0, context.stop);
    });
    NATSCOPE_CHECK(std::move(done));
    return seconds;
  }
};

std::vector<std::int32_t> some_tokens(std::int64_t count) {
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(3 + i * 7919 % 4000);
  return tokens;
}

/// Roles that keep `fraction` of all tokens for ever and let the others go at once, differently in every head.
RoleArray sparse_roles(const ModelConfig& config, std::int64_t length, double fraction) {
  RoleArray roles{config.layers, config.kv_heads, length, {}};
  roles.roles.resize(static_cast<std::size_t>(config.layers * config.kv_heads * length));
  std::uint64_t state = 1;
  for (Role& role : roles.roles) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    role = static_cast<double>(state >> 11U) * 0x1.0p-53 < fraction ? Role::global : Role::sliding;
  }
  return roles;
}

Expected<Decoder> open_decoder(const RandomModelFolder& folder, kernels::ElementType dtype, std::int64_t depth,
                               std::optional<double> kv_fraction, const Context& context) {
  Decoder decoder;
  EngineOptions options;
  options.model = folder.path();
  options.device = Device::cpu;
  options.dtype = dtype;
  options.threads = context.threads;
  options.trace_store_bytes = 0;
  NATSCOPE_TRY(decoder.engine, Engine::open(options, context.stop));
  RolePlan plan;
  if (kv_fraction) {
    plan.window = 0;
    plan.roles = sparse_roles(decoder.engine->config(), depth + max_steps, *kv_fraction);
  }
  NATSCOPE_CHECK(decoder.engine->start(std::move(plan)));
  NATSCOPE_CHECK(decoder.engine->prefill(some_tokens(depth), {}, context.stop));
  NATSCOPE_TRY([[maybe_unused]] const double ignored, decoder.steps_s(warm_up_steps, context));
  return decoder;
}

/// Bytes that one step must read: every matrix once, and what the cache holds.
double step_bytes(const Engine& engine, kernels::ElementType dtype) {
  return static_cast<double>(shape_124m.matrix_elements() * kernels::element_bytes(dtype) + engine.counts().live_bytes);
}

std::string dense_name(kernels::ElementType dtype, std::int64_t depth) {
  return std::string("decode_") + (dtype == kernels::ElementType::f32 ? "f32" : "bf16") +
         (depth == 1024 ? "_1k" : "_8k");
}

std::string sparse_name(int percent) { return "decode_bf16_8k_kv" + std::to_string(percent); }

std::string size_text(kernels::ElementType dtype, std::int64_t depth) {
  return std::string("124 M shape, ") + (dtype == kernels::ElementType::f32 ? "f32" : "bf16") +
         ", T = " + std::to_string(depth);
}

Expected<Row> dense_row(const RandomModelFolder& folder, kernels::ElementType dtype, std::int64_t depth, bool pair,
                        const Context& context) {
  NATSCOPE_TRY(const Roofs roofs, measured_roofs());
  NATSCOPE_TRY(auto ours, open_decoder(folder, dtype, depth, {}, context));
  std::optional<LibTorchDecoder> reference;
  if (pair) {
    NATSCOPE_TRY(reference, LibTorchDecoder::create(ours.engine->folder(), dtype, depth));
    reference->step(step_token);
  }
  std::vector<double> rates;
  std::vector<double> ratios;
  for (int run = 0; run < runs; ++run) {
    NATSCOPE_TRY(const double seconds, ours.steps_s(steps_per_run, context));
    rates.push_back(steps_per_run / seconds);
    if (!reference) continue;
    const double theirs = seconds_of([&] {
      for (int i = 0; i < steps_per_run; ++i) reference->step(step_token);
    });
    ratios.push_back(theirs / seconds);
  }
  const Summary rate = summarise(rates);
  Row row;
  row.name = dense_name(dtype, depth);
  row.size = size_text(dtype, depth);
  row.value = rate.median;
  row.unit = "tokens/s";
  row.limit = roofs.read_bytes_per_s / step_bytes(*ours.engine, dtype);
  row.fraction_of_limit = rate.median / *row.limit;
  row.runs = runs;
  row.spread = rate.spread;
  if (reference) {
    row.reference = "LibTorch calls with a concatenated cache";
    row.ratio = summarise(ratios).median;
  }
  return row;
}

Expected<Row> sparse_row(const RandomModelFolder& folder, const Decoder& dense, int percent, const Context& context) {
  constexpr auto dtype = kernels::ElementType::bf16;
  constexpr std::int64_t depth = 8192;
  NATSCOPE_TRY(const auto sparse, open_decoder(folder, dtype, depth, percent / 100.0, context));
  std::vector<double> rates;
  std::vector<double> ratios;
  for (int run = 0; run < runs; ++run) {
    NATSCOPE_TRY(const double sparse_s, sparse.steps_s(steps_per_run, context));
    NATSCOPE_TRY(const double dense_s, dense.steps_s(steps_per_run, context));
    rates.push_back(steps_per_run / sparse_s);
    ratios.push_back(dense_s / sparse_s);
  }
  const Summary rate = summarise(rates);
  const double ratio = summarise(ratios).median;
  const double bytes_ratio = step_bytes(*dense.engine, dtype) / step_bytes(*sparse.engine, dtype);
  Row row;
  row.name = sparse_name(percent);
  row.size = size_text(dtype, depth) + ", KV fraction " + std::to_string(sparse.engine->counts().fraction);
  row.value = rate.median;
  row.unit = "tokens/s";
  row.reference = "the same step with every role Global";
  row.ratio = ratio;
  row.limit = rate.median / ratio * bytes_ratio;
  row.fraction_of_limit = ratio / bytes_ratio;
  row.runs = runs;
  row.spread = rate.spread;
  return row;
}

}  // namespace

Expected<std::vector<Row>> decode_dense(const Context& context) {
  std::vector<Row> rows;
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    if (!context.wants(dense_name(dtype, 1024)) && !context.wants(dense_name(dtype, 8192))) continue;
    NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape_124m, dtype));
    for (const std::int64_t depth : {1024, 8192}) {
      if (!context.wants(dense_name(dtype, depth))) continue;
      NATSCOPE_TRY(auto row, dense_row(folder, dtype, depth, depth == 1024, context));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Expected<std::vector<Row>> decode_sparse(const Context& context) {
  std::vector<Row> rows;
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape_124m, kernels::ElementType::bf16));
  for (const int percent : {50, 25, 10}) {
    if (!context.wants(sparse_name(percent))) continue;
    // A fresh dense sequence each time, so that both sides stand at the same depth.
    NATSCOPE_TRY(const auto dense, open_decoder(folder, kernels::ElementType::bf16, 8192, {}, context));
    NATSCOPE_TRY(auto row, sparse_row(folder, dense, percent, context));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace natscope::bench
