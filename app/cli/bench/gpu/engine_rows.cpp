// SPDX-License-Identifier: GPL-3.0-or-later
/// The whole program on a device at the 124 M shape: random weights, one engine beside the other.
#include <array>

#include "app/cli/bench/gpu/measured_engine.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t live_store_bytes = 512LL << 20U;  // as the window opens its engine
constexpr std::int32_t live_candidates = 8;

}  // namespace

Expected<std::vector<Row>> decode_step_small(GpuRun& run, double budget_s) {
  const ModelShape shape = with_context(run.scale.small, run.scale.small_depth);
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape, measured_dtype));
  NATSCOPE_TRY(const auto engine, open_engine_on(run, folder, {}));
  Engine* const only = engine.get();
  NATSCOPE_CHECK(fill(run, {&only, 1}, run.scale.small_depth, budget_s / 2));
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
  NATSCOPE_TRY(const auto folder, RandomModelFolder::create(shape, measured_dtype));
  NATSCOPE_TRY(const auto live, open_engine_on(run, folder, {.store_bytes = live_store_bytes}));
  NATSCOPE_TRY(const auto plain, open_engine_on(run, folder, {}));
  NATSCOPE_CHECK(fill(run, std::array{live.get(), plain.get()}, run.scale.small_depth, budget_s / 2));
  NATSCOPE_TRY(const auto times, paired_steps(steps_of(run, *live, live_candidates), steps_of(run, *plain, 0),
                                              budget_s / 2, run.context.stop));
  Row row;
  row.name = "accounting_overhead";
  row.size = size_text(run, "124 M", run.scale.small_depth) + ", trace store and candidates as for the window";
  row.unit = "tokens/s";
  put_times(row, times, [](double seconds) { return 1 / seconds; });
  row.reference = "no trace store, no candidates";
  row.target = "at least 0.97 × the reference";
  return std::vector{std::move(row)};
}

}  // namespace natscope::bench
