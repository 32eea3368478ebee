// SPDX-License-Identifier: GPL-3.0-or-later
/// The whole program on a device: random weights, injected roles, one engine beside the other.
#include <unistd.h>

#include <algorithm>
#include <string>

#include "app/cli/bench/gpu/gpu_run.h"
#include "app/cli/bench/gpu/paired_steps.h"
#include "app/cli/bench/gpu/role_patterns.h"
#include "core/base/cancel.h"
#include "core/engine/engine.h"

namespace natscope::bench {
namespace {

constexpr auto dtype = kernels::ElementType::bf16;
constexpr std::int64_t most_steps = 200;
constexpr std::int32_t step_token = 17;
constexpr std::int64_t live_store_bytes = 512LL << 20U;  // as the window opens its engine
constexpr std::int32_t live_candidates = 8;

/// Where a folder of so many bytes lies in memory, if there is such a place; else where folders go.
std::filesystem::path roomy_folder(std::int64_t size_bytes) {
  const std::filesystem::path memory = "/dev/shm";
  std::error_code problem;
  const std::filesystem::space_info space = std::filesystem::space(memory, problem);
  const bool fits = !problem && access(memory.c_str(), W_OK) == 0 &&
                    space.available > static_cast<std::uintmax_t>(size_bytes) * 5 / 4;
  return fits ? memory : std::filesystem::path();
}

ModelShape with_context(ModelShape shape, std::int64_t tokens) {
  shape.context = static_cast<int>(tokens + most_steps);
  return shape;
}

Expected<std::unique_ptr<Engine>> open_engine_on(const GpuRun& run, const RandomModelFolder& folder,
                                                 std::int64_t store_bytes) {
  EngineOptions options;
  options.model = folder.path();
  options.device = Device::cuda;
  options.dtype = dtype;
  options.threads = run.context.threads;
  options.trace_store_bytes = store_bytes;
  options.device_module = run.context.device_module;
  return Engine::open(options, run.context.stop);
}

/// Prefills `depth` tokens, a chunk at a time, and gives up as soon as it cannot end in time: chunks only get slower.
Expected<double> fill(const GpuRun& run, Engine& engine, std::int64_t depth, double budget_s) {
  PrefillOptions options;
  options.chunk = run.scale.chunk;
  double spent_s = 0;
  for (std::int64_t done = 0; done < depth;) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(std::min(options.chunk, depth - done)));
    for (std::size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = static_cast<std::int32_t>(3 + (static_cast<std::size_t>(done) + i) * 7919 % 4000);
    Expected<void> filled;
    const double seconds = seconds_of([&] { filled = engine.prefill(tokens, options, run.context.stop); });
    NATSCOPE_CHECK(std::move(filled));
    spent_s += seconds;
    done += static_cast<std::int64_t>(tokens.size());
    const double rest_s = static_cast<double>(depth - done) / static_cast<double>(tokens.size()) * seconds;
    if (done >= 2 * options.chunk && spent_s + rest_s > budget_s) {
      return fail(ErrorCode::device_unavailable, "a prefill of " + std::to_string(depth) + " tokens does not end in " +
                                                     std::to_string(static_cast<int>(budget_s)) + " s here: " +
                                                     std::to_string(done) + " took " + std::to_string(spent_s) + " s");
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

std::int64_t weight_bytes(const ModelShape& shape) { return shape.matrix_elements() * kernels::element_bytes(dtype); }

/// Bytes that one step must read: every matrix once, and what the cache holds.
double step_bytes(const Engine& engine, const ModelShape& shape) {
  return static_cast<double>(weight_bytes(shape) + engine.counts().live_bytes);
}

void put_step_limit(const GpuRun& run, Row& row, double bytes) {
  if (!run.report.read_bytes_per_s) return;
  row.limit = *run.report.read_bytes_per_s / bytes;
  row.fraction_of_limit = row.value / *row.limit;
}

std::string size_text(const GpuRun& run, const char* shape, std::int64_t depth) {
  return std::string(shape) + " shape on " + run.report.gpu + ", bf16, T = " + std::to_string(depth);
}

double rate(double seconds) { return 1 / seconds; }

/// The 8 B shape twice, every role Global and sparse, at the same depth.
struct Pair {
  std::unique_ptr<Engine> dense;
  std::unique_ptr<Engine> sparse;
  double dense_fill_s = 0;
  double sparse_fill_s = 0;
};

Expected<Pair> open_pair(const GpuRun& run, const RandomModelFolder& folder, double budget_s) {
  Pair pair;
  const std::int64_t depth = run.scale.large_depth;
  NATSCOPE_TRY(pair.sparse, open_engine_on(run, folder, 0));
  RolePlan plan;
  plan.window = pattern_window;
  const ModelShape& shape = run.scale.large;
  plan.roles =
      pattern_roles(RolePattern::independent, shape.layers, shape.kv_heads, depth + most_steps, run.scale.kv_fraction);
  NATSCOPE_CHECK(pair.sparse->start(std::move(plan)));
  NATSCOPE_TRY(pair.sparse_fill_s, fill(run, *pair.sparse, depth, budget_s / 4));
  NATSCOPE_TRY(pair.dense, open_engine_on(run, folder, 0));
  NATSCOPE_CHECK(pair.dense->start({}));
  NATSCOPE_TRY(pair.dense_fill_s, fill(run, *pair.dense, depth, budget_s / 2));
  return pair;
}

Row prefill_row(const GpuRun& run, const Pair& pair) {
  Row row;
  row.name = "prefill_8b_200k";
  row.size =
      size_text(run, "8 B", run.scale.large_depth) + ", KV fraction " + std::to_string(pair.sparse->counts().fraction);
  row.value = static_cast<double>(run.scale.large_depth) / pair.sparse_fill_s;
  row.unit = "tokens/s";
  row.reference = "the same engine with every role Global (own dense kernel)";
  row.ratio = pair.dense_fill_s / pair.sparse_fill_s;
  row.target = "at least 2.9 × the same engine on LibTorch's flash attention, which is not the pair here";
  row.runs = 1;
  return row;
}

Row memory_row(const GpuRun& run, const Pair& pair) {
  const auto weights = static_cast<double>(weight_bytes(run.scale.large));
  const double dense = weights + static_cast<double>(pair.dense->counts().allocated_bytes);
  const double sparse = weights + static_cast<double>(pair.sparse->counts().allocated_bytes);
  Row row;
  row.name = "memory_8b_200k";
  row.size = size_text(run, "8 B", run.scale.large_depth) + ", weights and pages of the cache";
  row.value = sparse / 1e9;
  row.unit = "GB";
  row.reference = "the same engine with every role Global";
  row.ratio = dense / sparse;
  row.limit = (weights + static_cast<double>(pair.sparse->counts().live_bytes)) / 1e9;
  row.fraction_of_limit = *row.limit / row.value;
  row.target = "at least 95 % of the limit";
  row.runs = 1;
  return row;
}

}  // namespace

Expected<std::vector<Row>> decode_step_small(GpuRun& run, double budget_s) {
  const ModelShape shape = with_context(run.scale.small, run.scale.small_depth);
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape, dtype));
  NATSCOPE_TRY(const auto engine, open_engine_on(run, folder, 0));
  NATSCOPE_TRY([[maybe_unused]] const double filled, fill(run, *engine, run.scale.small_depth, budget_s / 2));
  NATSCOPE_TRY(const auto times, paired_steps(steps_of(run, *engine, 0), {}, budget_s / 2, run.context.stop));
  Row row;
  row.name = "decode_step_124m";
  row.size = size_text(run, "124 M", run.scale.small_depth);
  row.unit = "ms";
  put_times(row, times, [](double seconds) { return seconds * 1e3; });
  if (run.report.read_bytes_per_s) {
    row.limit = step_bytes(*engine, shape) / *run.report.read_bytes_per_s * 1e3;
    row.fraction_of_limit = *row.limit / row.value;
  }
  row.target = "at most 2.5 × the limit";
  return std::vector{std::move(row)};
}

Expected<std::vector<Row>> accounting_overhead(GpuRun& run, double budget_s) {
  const ModelShape shape = with_context(run.scale.small, run.scale.small_depth);
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape, dtype));
  NATSCOPE_TRY(const auto live, open_engine_on(run, folder, live_store_bytes));
  NATSCOPE_TRY(const auto plain, open_engine_on(run, folder, 0));
  for (Engine* const engine : {live.get(), plain.get()}) {
    NATSCOPE_TRY([[maybe_unused]] const double filled, fill(run, *engine, run.scale.small_depth, budget_s / 4));
  }
  NATSCOPE_TRY(const auto times, paired_steps(steps_of(run, *live, live_candidates), steps_of(run, *plain, 0),
                                              budget_s / 2, run.context.stop));
  Row row;
  row.name = "accounting_overhead";
  row.size = size_text(run, "124 M", run.scale.small_depth) + ", trace store and candidates as for the window";
  row.unit = "tokens/s";
  put_times(row, times, rate);
  row.reference = "no trace store, no candidates";
  row.target = "at least 0.97 × the reference";
  return std::vector{std::move(row)};
}

Expected<std::vector<Row>> whole_model(GpuRun& run, double budget_s) {
  const ModelShape shape = with_context(run.scale.large, run.scale.large_depth);
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape, dtype, roomy_folder(weight_bytes(shape))));
  NATSCOPE_TRY(const auto pair, open_pair(run, folder, budget_s));
  std::vector<Row> rows;
  if (run.context.wants("decode_8b_200k") || run.context.wants("decode_8b_200k_dense")) {
    NATSCOPE_TRY(const auto times, paired_steps(steps_of(run, *pair.sparse, 0), steps_of(run, *pair.dense, 0),
                                                budget_s / 8, run.context.stop));
    Row sparse;
    sparse.name = "decode_8b_200k";
    sparse.size = size_text(run, "8 B", run.scale.large_depth) + ", KV fraction " +
                  std::to_string(pair.sparse->counts().fraction);
    sparse.unit = "tokens/s";
    put_times(sparse, times, rate);
    sparse.reference = "the same engine with every role Global";
    sparse.target = "at least 1.8 × the reference";
    put_step_limit(run, sparse, step_bytes(*pair.sparse, shape));
    Row dense;
    dense.name = "decode_8b_200k_dense";
    dense.size = size_text(run, "8 B", run.scale.large_depth);
    dense.unit = "tokens/s";
    put_times(dense, {times.reference, {}}, rate);
    dense.target = "at least 75 % of the limit";
    put_step_limit(run, dense, step_bytes(*pair.dense, shape));
    rows.push_back(std::move(sparse));
    rows.push_back(std::move(dense));
  }
  if (run.context.wants("prefill_8b_200k")) rows.push_back(prefill_row(run, pair));
  if (run.context.wants("memory_8b_200k")) rows.push_back(memory_row(run, pair));
  return rows;
}

}  // namespace natscope::bench
