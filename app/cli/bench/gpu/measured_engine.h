// SPDX-License-Identifier: GPL-3.0-or-later
/// Engines on a device that the rows of `bench gpu` measure: opened on random weights, filled, stepped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "app/cli/bench/gpu/gpu_run.h"
#include "app/cli/bench/gpu/paired_steps.h"
#include "core/engine/engine.h"

namespace natscope::bench {

/// Of all rows through the engine.
inline constexpr auto measured_dtype = kernels::ElementType::bf16;
/// Tokens that a context has room for behind the depth that is measured: steps of warm-up and measurement.
inline constexpr std::int64_t most_steps = 200;

/// The shape with a context for `tokens` and the steps after them.
[[nodiscard]] ModelShape with_context(ModelShape shape, std::int64_t tokens);

/// Random weights of the large shape. Made when they are first asked for, and kept: writing them takes longer than most
/// rows.
[[nodiscard]] Expected<const RandomModelFolder*> large_folder(GpuRun& run);

struct MeasuredEngine {
  std::int64_t store_bytes = 0;
  PromptAttention attention = PromptAttention::own;
};
/// Errors: those of Engine::open.
[[nodiscard]] Expected<std::unique_ptr<Engine>> open_engine_on(const GpuRun& run, const RandomModelFolder& folder,
                                                               const MeasuredEngine& engine);

/// Prefills tokens up to `depth` in all engines, a chunk in turn, so that what changes in the machine meanwhile meets
/// all. Returns the seconds of each. Gives up as soon as it cannot end in `budget_s`: chunks only get slower.
[[nodiscard]] Expected<std::vector<double>> fill(const GpuRun& run, std::span<Engine* const> engines,
                                                 std::int64_t depth, double budget_s);

/// One token more; `candidates` as Engine::step.
[[nodiscard]] TimedStep steps_of(const GpuRun& run, Engine& engine, std::int32_t candidates);

[[nodiscard]] std::int64_t weight_bytes(const ModelShape& shape);
/// Bytes that one step must read: every matrix once, and what the cache holds.
[[nodiscard]] double step_bytes(const Engine& engine, const ModelShape& shape);

/// "8 B shape on NVIDIA …, bf16, T = 200000"
[[nodiscard]] std::string size_text(const GpuRun& run, const char* shape, std::int64_t depth);

}  // namespace natscope::bench
