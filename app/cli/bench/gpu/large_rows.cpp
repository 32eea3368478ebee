// SPDX-License-Identifier: GPL-3.0-or-later
/// The whole program on a device at the 8 B shape: random weights, injected roles, one engine beside the other.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include "app/cli/bench/gpu/measured_engine.h"
#include "app/cli/bench/gpu/role_patterns.h"

namespace natscope::bench {
namespace {

/// Where a folder of so many bytes lies in memory, if there is such a place; else where folders go.
std::filesystem::path roomy_folder(std::int64_t size_bytes) {
  const std::filesystem::path memory = "/dev/shm";
  std::error_code problem;
  const std::filesystem::space_info space = std::filesystem::space(memory, problem);
  const bool fits = !problem && access(memory.c_str(), W_OK) == 0 &&
                    space.available > static_cast<std::uintmax_t>(size_bytes) * 5 / 4;
  return fits ? memory : std::filesystem::path();
}

ModelShape large_shape(const GpuRun& run) { return with_context(run.scale.large, run.scale.large_depth); }

RolePlan sparse_plan(const GpuRun& run) {
  const ModelShape& shape = run.scale.large;
  RolePlan plan;
  plan.window = pattern_window;
  plan.roles = pattern_roles(RolePattern::independent, shape.layers, shape.kv_heads, run.scale.large_depth + most_steps,
                             run.scale.kv_fraction);
  return plan;
}

RolePlan dense_plan() {
  RolePlan plan;
  plan.policy.kind = Policy::Kind::full;
  return plan;
}

std::string sparse_size(const GpuRun& run, const Engine& sparse) {
  return size_text(run, "8 B", run.scale.large_depth) + ", KV fraction " + std::to_string(sparse.counts().fraction);
}

/// An engine with every role Global to compare with, and what it is; no engine where LibTorch has no CUDA part.
struct Reference {
  std::unique_ptr<Engine> engine;
  std::string text;
};

Expected<Reference> open_flash(const GpuRun& run, const RandomModelFolder& folder) {
  auto opened = open_engine_on(run, folder, {.attention = PromptAttention::flash});
  if (opened) return Reference{std::move(*opened), "the same engine on LibTorch's flash attention, a chunk in turn"};
  if (opened.error().code != ErrorCode::device_unavailable) return Unexpected(opened.error());
  std::fprintf(stderr, "prefill_8b_200k without its reference: %s\n", opened.error().message.c_str());
  return Reference{};
}

void put_step_limit(const GpuRun& run, Row& row, double bytes) {
  if (!run.report.read_bytes_per_s) return;
  row.limit = *run.report.read_bytes_per_s / bytes;
  row.fraction_of_limit = row.value / *row.limit;
}

double rate(double seconds) { return 1 / seconds; }

void add_decode_rows(const GpuRun& run, const Engine& sparse, const Engine& dense, const PairedTimes& times,
                     std::vector<Row>& rows) {
  constexpr const char* filled = ", prompt read in chunks that saw themselves alone";
  Row row;
  row.name = "decode_8b_200k";
  row.size = sparse_size(run, sparse) + filled;
  row.unit = "tokens/s";
  put_times(row, times, rate);
  row.reference = "the same engine with every role Global";
  row.target = "at least 1.8 × the reference";
  put_step_limit(run, row, step_bytes(sparse, run.scale.large));
  rows.push_back(std::move(row));

  Row dense_row;
  dense_row.name = "decode_8b_200k_dense";
  dense_row.size = size_text(run, "8 B", run.scale.large_depth) + filled;
  dense_row.unit = "tokens/s";
  put_times(dense_row, {times.reference, {}}, rate);
  dense_row.target = "at least 75 % of the limit";
  put_step_limit(run, dense_row, step_bytes(dense, run.scale.large));
  rows.push_back(std::move(dense_row));
}

Row memory_row(const GpuRun& run, const Engine& sparse, const Engine& dense) {
  const auto weights = static_cast<double>(weight_bytes(run.scale.large));
  Row row;
  row.name = "memory_8b_200k";
  row.size = size_text(run, "8 B", run.scale.large_depth) + ", weights and what the cache's allocator holds";
  row.value = (weights + static_cast<double>(sparse.counts().allocated_bytes)) / 1e9;
  row.unit = "GB";
  row.reference = "the same engine with every role Global";
  row.ratio = (weights + static_cast<double>(dense.counts().allocated_bytes)) / 1e9 / row.value;
  row.limit = (weights + static_cast<double>(sparse.counts().live_bytes)) / 1e9;
  row.fraction_of_limit = *row.limit / row.value;
  row.target = "at least 95 % of the limit";
  row.runs = 1;
  return row;
}

}  // namespace

Expected<const RandomModelFolder*> large_folder(GpuRun& run) {
  if (run.large_folder) return &*run.large_folder;
  const std::int64_t size_bytes = weight_bytes(run.scale.large);
  const std::filesystem::path parent = roomy_folder(size_bytes);
  std::optional<Expected<RandomModelFolder>> made;
  const double seconds =
      seconds_of([&] { made.emplace(RandomModelFolder::create(large_shape(run), measured_dtype, parent)); });
  NATSCOPE_TRY(RandomModelFolder folder, *std::move(made));
  std::fprintf(stderr, "random weights of %.1f GB in %s: %.0f s\n", static_cast<double>(size_bytes) / 1e9,
               folder.path().parent_path().c_str(), seconds);
  return &run.large_folder.emplace(std::move(folder));
}

Expected<std::vector<Row>> prefill_large(GpuRun& run, double budget_s) {
  NATSCOPE_TRY(const RandomModelFolder* const folder, large_folder(run));
  NATSCOPE_TRY(const auto sparse, open_engine_on(run, *folder, {}));
  NATSCOPE_TRY(const Reference reference, open_flash(run, *folder));
  std::vector<Engine*> engines{sparse.get()};
  if (reference.engine) engines.push_back(reference.engine.get());
  const auto start = [&]() -> Expected<void> {
    NATSCOPE_CHECK(sparse->start(sparse_plan(run)));
    return reference.engine ? reference.engine->start(dense_plan()) : Expected<void>{};
  };
  // The first chunk loads kernels and allocates; it is read once before.
  NATSCOPE_CHECK(start());
  NATSCOPE_CHECK(fill(run, engines, std::min(run.scale.chunk, run.scale.large_depth), budget_s));
  NATSCOPE_CHECK(start());
  NATSCOPE_TRY(const std::vector<double> seconds, fill(run, engines, run.scale.large_depth, budget_s * 0.75));
  Row row;
  row.name = "prefill_8b_200k";
  row.size = sparse_size(run, *sparse) + ", chunks of " + std::to_string(run.scale.chunk);
  row.value = static_cast<double>(run.scale.large_depth) / seconds[0];
  row.unit = "tokens/s";
  row.reference = reference.text;
  if (seconds.size() > 1) row.ratio = seconds[1] / seconds[0];
  row.target = "at least 2.9 × the reference";
  row.runs = 1;
  return std::vector{std::move(row)};
}

Expected<std::vector<Row>> decode_large(GpuRun& run, double budget_s) {
  NATSCOPE_TRY(const RandomModelFolder* const folder, large_folder(run));
  // What a cache's numbers are changes neither its size nor the time of a step: it is filled the fast way.
  constexpr MeasuredEngine filled_fast{.attention = PromptAttention::alone};
  NATSCOPE_TRY(const auto sparse, open_engine_on(run, *folder, filled_fast));
  NATSCOPE_TRY(const auto dense, open_engine_on(run, *folder, filled_fast));
  NATSCOPE_CHECK(sparse->start(sparse_plan(run)));
  NATSCOPE_CHECK(dense->start(dense_plan()));
  NATSCOPE_CHECK(fill(run, std::array{sparse.get(), dense.get()}, run.scale.large_depth, budget_s / 2));
  std::vector<Row> rows;
  if (run.context.wants("memory_8b_200k")) rows.push_back(memory_row(run, *sparse, *dense));
  if (run.context.wants("decode_8b_200k") || run.context.wants("decode_8b_200k_dense")) {
    NATSCOPE_TRY(const auto times,
                 paired_steps(steps_of(run, *sparse, 0), steps_of(run, *dense, 0), budget_s / 4, run.context.stop));
    add_decode_rows(run, *sparse, *dense, times, rows);
  }
  return rows;
}

}  // namespace natscope::bench
