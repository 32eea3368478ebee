// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/benchmark.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "kernels/roofs.h"
#include "kernels/shared_work.h"

namespace natscope::bench {
namespace {

constexpr std::int64_t gemm_size = 2048;
constexpr int roof_runs = 7;
constexpr std::int64_t read_buffer_bytes = 1536LL << 20U;

/// The best of several products: a roof is what the machine can do, not what it does on average.
double gemm_flop_per_s(at::ScalarType dtype) {
  const c10::InferenceMode no_gradients;
  const at::Tensor a = at::randn({gemm_size, gemm_size}, at::kFloat).to(dtype);
  const at::Tensor b = at::randn({gemm_size, gemm_size}, at::kFloat).to(dtype);
  double best_s = 1e30;
  for (int run = 0; run < roof_runs; ++run) {
    best_s = std::min(best_s, seconds_of([&] { at::linear(a, b); }));
  }
  return 2.0 * gemm_size * gemm_size * gemm_size / best_s;
}

nlohmann::json optional_number(const std::optional<double>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

}  // namespace

nlohmann::json as_json(const Row& row) {
  return {{"name", row.name},
          {"size", row.size},
          {"value", row.value},
          {"unit", row.unit},
          {"reference", row.reference.empty() ? nlohmann::json() : nlohmann::json(row.reference)},
          {"ratio", optional_number(row.ratio)},
          {"limit", optional_number(row.limit)},
          {"fraction_of_limit", optional_number(row.fraction_of_limit)},
          {"runs", row.runs},
          {"spread", row.spread}};
}

Summary summarise(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, median > 0 ? (values.back() - values.front()) / median : 0};
}

double seconds_of(const std::function<void()>& work) {
  const auto begun = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

Expected<Roofs> measured_roofs() {
  static const Expected<Roofs> roofs = []() -> Expected<Roofs> {
    Roofs measured;
    try {
      measured.read_bytes_per_s = kernels::measure_read_bandwidth(read_buffer_bytes, kernels::max_threads());
      measured.gemm_f32_flop_per_s = gemm_flop_per_s(at::kFloat);
      measured.gemm_bf16_flop_per_s = gemm_flop_per_s(at::kBFloat16);
    } catch (const std::exception& problem) {
      return fail(ErrorCode::out_of_memory,
                  std::string("the machine's roofs could not be measured: ") + problem.what());
    }
    return measured;
  }();
  return roofs;
}

}  // namespace natscope::bench
