// SPDX-License-Identifier: GPL-3.0-or-later
/// `bench gpu` and `bench train_gpu`: what the rows share, and the plan that ends them in time.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/bench/benchmark.h"
#include "app/cli/bench/gpu/kernel_bench.h"
#include "app/cli/bench/gpu/torch_cuda.h"
#include "app/cli/bench/random_model.h"
#include "core/train/passes/training_device.h"

namespace natscope::bench {

/// Llama 3's 8 B shape; the output matrix is tied to the embedding here.
inline constexpr ModelShape shape_8b{32, 32, 8, 4096, 14336, 128256, 262144};

/// What is measured. Tests take a tiny one on a device made of ordinary memory.
struct GpuScale {
  ModelShape small = shape_124m;
  ModelShape large = shape_8b;
  std::int64_t small_depth = 1024;
  std::int64_t large_depth = 200'000;
  std::int64_t chunk = 4096;
  double kv_fraction = 0.16;
  std::int64_t context_memory_bytes = 80'000'000'000;  ///< of longest_context_80gb: weights, cache and all
  std::int64_t context_tokens_limit = 4'000'000;       ///< where longest_context_80gb stops looking
  int training_segments = 32;                          ///< of a step of training from scratch
  std::int64_t training_context = 1024;
  std::int64_t finetune_tokens = 8192;
  double seconds = 480;  ///< for everything
};

struct GpuReport {
  std::string gpu;
  std::string driver;
  std::optional<double> read_bytes_per_s;
  std::optional<double> gemm_bf16_flop_per_s;
  struct NotMeasured {
    std::string row;
    std::string why;
  };
  std::vector<NotMeasured> not_measured;
};

struct GpuRun {
  const Context& context;
  GpuScale scale;
  GpuReport report = {};
  /// Hears of everything measured so far after each part: what comes later may hang, or take the process with it.
  std::function<void(const GpuReport& report, const std::vector<Row>& rows)> measured_so_far = {};
  std::unique_ptr<KernelBench> kernels = {};  ///< null: the module is not there (a test's device)
  std::optional<TorchCuda> torch = {};        ///< nothing: LibTorch without CUDA; rows go without that reference
  std::optional<RandomModelFolder> large_folder = {};  ///< the large shape's, from the first row that needs it on
  train::PassesOn passes = train::PassesOn::gpu;       ///< of training; tests take LibTorch's in ordinary memory
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();

  [[nodiscard]] double left_s() const {
    return scale.seconds - std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }
};

/// A group of rows that is measured together, and the most seconds that it may take.
struct GpuPart {
  std::vector<const char*> rows;
  double budget_s = 0;
  Expected<std::vector<Row>> (*measure)(GpuRun& run, double budget_s) = nullptr;
  bool needs_kernels = false;  ///< single kernels: not on a device that has no module for them
};

/// What is measured in one go: `bench NAME` takes its name, its group's, or one of its rows'.
struct GpuSuite {
  const char* name;
  const char* group;
  const char* description;
  std::vector<GpuPart> parts;

  [[nodiscard]] std::vector<const char*> rows() const;
};
[[nodiscard]] std::span<const GpuSuite> gpu_suites();
[[nodiscard]] const GpuSuite& gpu_suite(std::string_view name);  ///< one that is there

/// Runs the parts that have a row that is wanted. A part that fails, or for whose budget no time is left, is written
/// down as not measured, with why, and the next one begins. Errors: where nothing was measured, interrupted or the
/// first failure.
[[nodiscard]] Expected<std::vector<Row>> run_gpu_parts(GpuRun& run, const std::vector<GpuPart>& parts);

// The parts, by file: kernel_rows.cpp, engine_rows.cpp, large_rows.cpp, memory_rows.cpp, training_rows.cpp.
Expected<std::vector<Row>> decode_kernel_dense(GpuRun& run, double budget_s);
Expected<std::vector<Row>> decode_kernel_ragged(GpuRun& run, double budget_s);
Expected<std::vector<Row>> prefill_kernel(GpuRun& run, double budget_s);
Expected<std::vector<Row>> backward_roles_gpu(GpuRun& run, double budget_s);
Expected<std::vector<Row>> decode_step_small(GpuRun& run, double budget_s);
Expected<std::vector<Row>> accounting_overhead(GpuRun& run, double budget_s);
Expected<std::vector<Row>> decode_large(GpuRun& run, double budget_s);
Expected<std::vector<Row>> prefill_large(GpuRun& run, double budget_s);
Expected<std::vector<Row>> longest_context(GpuRun& run, double budget_s);
Expected<std::vector<Row>> train_step_gpu(GpuRun& run, double budget_s);
Expected<std::vector<Row>> finetune_step_gpu(GpuRun& run, double budget_s);

}  // namespace natscope::bench
