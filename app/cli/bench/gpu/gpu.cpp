// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/gpu.h"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "app/cli/bench/gpu/paired_steps.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t read_bytes = 4LL << 30U;
constexpr std::int64_t product_size = 8192;
constexpr double roof_budget_s = 5;

/// The kernel module's own words, "NVRM version: … 580.65.06 …", else what CUDA says of it.
std::string driver_text(std::int32_t cuda_version) {
  std::string cuda = "CUDA " + std::to_string(cuda_version / 1000) + "." + std::to_string(cuda_version % 1000 / 10);
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  if (std::getline(file, line)) return line + ", " + cuda;
  return cuda;
}

Expected<void> measure_roofs(GpuRun& run) {
  kernels::BenchmarkedAttention size;
  size.tokens = read_bytes;
  NATSCOPE_TRY(const auto read, run.kernels->prepare(kernels::BenchmarkedKernel::read_memory, size));
  NATSCOPE_TRY(const auto reads, paired_steps([&] { return read.seconds(); }, {}, roof_budget_s, run.context.stop));
  run.report.read_bytes_per_s = static_cast<double>(read.held_bytes()) / summarise(reads.ours).median;
  if (!run.torch) return {};
  NATSCOPE_TRY(const TorchWork product, run.torch->product(product_size));
  NATSCOPE_TRY(const auto products, paired_steps(product, {}, roof_budget_s, run.context.stop));
  const auto side = static_cast<double>(product_size);
  run.report.gemm_bf16_flop_per_s = 2 * side * side * side / summarise(products.ours).median;
  run.torch->release_memory();
  return {};
}

nlohmann::json number(const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); }

}  // namespace

Expected<GpuResults> run_gpu(const GpuSuite& suite, const Context& context,
                             const std::function<void(const GpuResults&)>& measured_so_far) {
  GpuRun run{context, {}};
  if (measured_so_far) {
    run.measured_so_far = [&](const GpuReport& report, const std::vector<Row>& rows) {
      measured_so_far({report, rows});
    };
  }
  NATSCOPE_TRY(run.kernels, KernelBench::open({}));
  run.report.gpu = run.kernels->device().name;
  run.report.driver = driver_text(run.kernels->device().driver_version);
  if (auto torch = TorchCuda::open()) {
    run.torch = *torch;
  } else {
    std::fprintf(stderr, "without LibTorch as a reference: %s\n", torch.error().message.c_str());
  }
  double planned_s = 2 * roof_budget_s;
  std::fprintf(stderr, "plan for %s, at most %.0f s:\n", run.report.gpu.c_str(), run.scale.seconds);
  for (const GpuPart& part : suite.parts) {
    planned_s += part.budget_s;
    std::fprintf(stderr, "  %4.0f s  %s%s\n", part.budget_s, part.rows.front(), part.rows.size() > 1 ? " …" : "");
  }
  std::fprintf(stderr, "  %4.0f s  with the roofs\n", planned_s);
  if (const Expected<void> roofs = measure_roofs(run); !roofs) {
    if (roofs.error().code == ErrorCode::interrupted) return Unexpected(roofs.error());
    std::fprintf(stderr, "without roofs: %s\n", roofs.error().message.c_str());
  }
  NATSCOPE_TRY(auto rows, run_gpu_parts(run, suite.parts));
  return GpuResults{std::move(run.report), std::move(rows)};
}

Expected<GpuResults> run_gpu_if_there(const GpuSuite& suite, const Context& context) {
  Expected<GpuResults> results = run_gpu(suite, context);
  if (results || results.error().code == ErrorCode::interrupted) return results;
  const bool is_there = results.error().code != ErrorCode::device_unavailable;
  const std::string why = (is_there ? "" : "no GPU: ") + results.error().message;
  GpuResults nothing;
  for (const char* const row : suite.rows()) {
    if (context.wants(row)) nothing.report.not_measured.push_back({row, why});
  }
  return nothing;
}

nlohmann::json not_measured_json(const GpuReport& report) {
  nlohmann::json missing = nlohmann::json::array();
  for (const auto& [row, why] : report.not_measured) missing.push_back({{"name", row}, {"why", why}});
  return missing;
}

nlohmann::json gpu_results_json(const GpuResults& results, const std::string& commit, const std::string& date) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Row& row : results.rows) rows.push_back(as_json(row));
  return {{"commit", commit},
          {"date", date},
          {"gpu", results.report.gpu},
          {"driver", results.report.driver},
          {"roofs",
           {{"read_bytes_per_s", number(results.report.read_bytes_per_s)},
            {"gemm_bf16_flop_per_s", number(results.report.gemm_bf16_flop_per_s)}}},
          {"rows", rows},
          {"not_measured", not_measured_json(results.report)}};
}

}  // namespace natscope::bench
