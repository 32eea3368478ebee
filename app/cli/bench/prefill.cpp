// SPDX-License-Identifier: GPL-3.0-or-later
/// Prefill: a prompt in chunks.
#include <string>

#include "app/cli/bench/benchmarks.h"
#include "app/cli/bench/random_model.h"
#include "core/engine/engine.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t tokens_count = 2048;
constexpr std::int64_t chunk = 512;
constexpr int runs = 5;

/// Operations of a dense prefill: every matrix for every token (the output matrix for the last one), and causal
/// attention.
double prefill_flop(const ModelShape& shape) {
  const double head_elements = static_cast<double>(shape.vocab) * shape.hidden;
  const double layer_elements = static_cast<double>(shape.matrix_elements()) - head_elements;
  const double pairs = tokens_count * (tokens_count + 1) / 2.0;
  return 2.0 * layer_elements * tokens_count + 2.0 * head_elements + 4.0 * pairs * shape.hidden * shape.layers;
}

const char* prefill_name(kernels::ElementType dtype) {
  return dtype == kernels::ElementType::f32 ? "prefill_f32_2k" : "prefill_bf16_2k";
}

Expected<Row> prefill_row(kernels::ElementType dtype, const Context& context) {
  NATSCOPE_TRY(const Roofs roofs, measured_roofs());
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape_124m, dtype));
  EngineOptions options;
  options.model = folder.path();
  options.device = Device::cpu;
  options.dtype = dtype;
  options.threads = context.threads;
  options.trace_store_bytes = 0;
  NATSCOPE_TRY(const auto engine, Engine::open(options, context.stop));
  std::vector<std::int32_t> tokens(tokens_count);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(3 + i * 7919 % 4000);

  PrefillOptions prefill_options;
  prefill_options.chunk = chunk;
  std::vector<double> rates;
  for (int run = -1; run < runs; ++run) {  // the first one warms up
    NATSCOPE_CHECK(engine->start({}));
    Expected<void> done;
    const double seconds = seconds_of([&] { done = engine->prefill(tokens, prefill_options, context.stop); });
    NATSCOPE_CHECK(std::move(done));
    if (run >= 0) rates.push_back(tokens_count / seconds);
  }
  const Summary rate = summarise(rates);
  const bool f32 = dtype == kernels::ElementType::f32;
  Row row;
  row.name = prefill_name(dtype);
  row.size = std::string("124 M shape, ") + (f32 ? "f32" : "bf16") + ", T = 2048, chunk 512";
  row.value = rate.median;
  row.unit = "tokens/s";
  row.limit = tokens_count * (f32 ? roofs.gemm_f32_flop_per_s : roofs.gemm_bf16_flop_per_s) / prefill_flop(shape_124m);
  row.fraction_of_limit = rate.median / *row.limit;
  row.runs = runs;
  row.spread = rate.spread;
  return row;
}

}  // namespace

Expected<std::vector<Row>> prefill(const Context& context) {
  std::vector<Row> rows;
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16}) {
    if (!context.wants(prefill_name(dtype))) continue;
    NATSCOPE_TRY(auto row, prefill_row(dtype, context));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace natscope::bench
