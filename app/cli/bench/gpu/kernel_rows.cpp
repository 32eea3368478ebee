// SPDX-License-Identifier: GPL-3.0-or-later
/// Single kernels, timed on the device's clock, against the roofs, against ourselves at equal work, against LibTorch.
#include <array>
#include <string>

#include "app/cli/bench/gpu/gpu_run.h"
#include "app/cli/bench/gpu/paired_steps.h"
#include "app/cli/bench/gpu/role_patterns.h"

namespace natscope::bench {
namespace {

using kernels::BenchmarkedAttention;
using kernels::BenchmarkedKernel;

constexpr double giga = 1e9;
constexpr double tera = 1e12;
constexpr std::int64_t ragged_tokens = 200'000;
constexpr std::int64_t prefill_tokens = 16384;
constexpr std::int64_t backward_tokens = 8192;
constexpr std::int64_t plain_heads = 16;  // as many KV heads: LibTorch's flash attention knows no groups

TimedStep step_of(const KernelBench::Prepared& prepared) {
  return [&prepared] { return prepared.seconds(); };
}

Row bandwidth_row(const GpuRun& run, std::string name, std::string size, std::int64_t bytes, const PairedTimes& times) {
  Row row;
  row.name = std::move(name);
  row.size = std::move(size);
  row.unit = "GB/s";
  put_times(row, times, [bytes](double seconds) { return static_cast<double>(bytes) / seconds / giga; });
  if (run.report.read_bytes_per_s) {
    row.limit = *run.report.read_bytes_per_s / giga;
    row.fraction_of_limit = row.value / *row.limit;
  }
  return row;
}

Row flop_row(const GpuRun& run, std::string name, std::string size, double flop, const PairedTimes& times) {
  Row row;
  row.name = std::move(name);
  row.size = std::move(size);
  row.unit = "TFLOP/s";
  put_times(row, times, [flop](double seconds) { return flop / seconds / tera; });
  if (run.report.gemm_bf16_flop_per_s) {
    row.limit = *run.report.gemm_bf16_flop_per_s / tera;
    row.fraction_of_limit = row.value / *row.limit;
  }
  return row;
}

std::string shape_text(const BenchmarkedAttention& shape) {
  return "bf16, " + std::to_string(shape.heads) + " heads, " + std::to_string(shape.kv_heads) + " KV heads, head_dim " +
         std::to_string(shape.head_dim) + ", T = " + std::to_string(shape.tokens);
}

double causal_pairs(std::int64_t tokens) { return static_cast<double>(tokens) * static_cast<double>(tokens + 1) / 2; }

}  // namespace

Expected<std::vector<Row>> decode_kernel_dense(GpuRun& run, double budget_s) {
  struct Case {
    const char* name;
    BenchmarkedAttention shape;
    const char* target;
  };
  const std::array cases{
      Case{"decode_kernel_dense_32k", {32, 32, 128, 32768}, "at least 85 % of the limit"},
      Case{"decode_kernel_dense_128k", {32, 32, 128, 131072}, "at least 85 % of the limit"},
      Case{"decode_kernel_dense_64k_group4", {32, 8, 128, 65536}, "at least 65 % of the limit"},
  };
  std::vector<Row> rows;
  for (const Case& one : cases) {
    if (!run.context.wants(one.name)) continue;
    NATSCOPE_TRY(const auto kernel, run.kernels->prepare(BenchmarkedKernel::attention_decode, one.shape));
    NATSCOPE_TRY(const auto times, paired_steps(step_of(kernel), {}, budget_s / cases.size(), run.context.stop));
    rows.push_back(bandwidth_row(run, one.name, shape_text(one.shape), kernel.held_bytes(), times));
    rows.back().target = one.target;
  }
  return rows;
}

Expected<std::vector<Row>> decode_kernel_ragged(GpuRun& run, double budget_s) {
  std::vector<Row> rows;
  for (const RolePattern pattern : {RolePattern::independent, RolePattern::bursts, RolePattern::few_full}) {
    const std::string row_name = std::string("decode_kernel_ragged_") + name(pattern);
    if (!run.context.wants(row_name) && !run.context.wants(row_name + "_padded")) continue;
    BenchmarkedAttention shape{32, 32, 128, ragged_tokens};
    const RoleArray roles = pattern_roles(pattern, 1, 32, ragged_tokens, run.scale.kv_fraction);
    const std::vector<std::int64_t> held = held_at_end(roles, 0, pattern_window);
    const BenchmarkedAttention equal{32, 32, 128, tokens_of_equal_bytes(held)};
    const BenchmarkedAttention padded{32, 32, 128, tokens_of_fullest(held)};
    shape.roles = roles.roles.data();
    shape.window = pattern_window;
    NATSCOPE_TRY(const auto ours, run.kernels->prepare(BenchmarkedKernel::attention_decode, shape));
    const std::string size = shape_text(shape) + ", KV fraction " + std::to_string(run.scale.kv_fraction);
    const auto against = [&](const BenchmarkedAttention& other, const std::string& named, const char* reference,
                             const char* target) -> Expected<void> {
      if (!run.context.wants(named)) return {};
      NATSCOPE_TRY(const auto dense, run.kernels->prepare(BenchmarkedKernel::attention_decode, other));
      NATSCOPE_TRY(const auto times, paired_steps(step_of(ours), step_of(dense), budget_s / 6, run.context.stop));
      Row row = bandwidth_row(run, named, size, ours.held_bytes(), times);
      row.reference = std::string(reference) + ", T = " + std::to_string(other.tokens);
      row.target = target;
      rows.push_back(std::move(row));
      return {};
    };
    NATSCOPE_CHECK(against(equal, row_name, "own dense kernel at equal bytes", "at least 0.9 × the reference"));
    NATSCOPE_CHECK(against(padded, row_name + "_padded", "own dense kernel, every head padded to the fullest",
                           "at least 1.5 × the reference"));
  }
  return rows;
}

Expected<std::vector<Row>> prefill_kernel(GpuRun& run, double budget_s) {
  std::vector<Row> rows;
  const BenchmarkedAttention dense_shape{plain_heads, plain_heads, 128, prefill_tokens};
  const double per_pair = 4.0 * 128;
  const double dense_flop = per_pair * plain_heads * causal_pairs(prefill_tokens);
  NATSCOPE_TRY(const auto dense, run.kernels->prepare(BenchmarkedKernel::attention_prefill, dense_shape));
  if (run.context.wants("prefill_kernel_dense_16k")) {
    TimedStep reference;
    if (run.torch) {
      NATSCOPE_TRY(reference, run.torch->flash_forward(plain_heads, prefill_tokens, 128));
    }
    NATSCOPE_TRY(const auto times, paired_steps(step_of(dense), reference, budget_s / 2, run.context.stop));
    Row row = flop_row(run, "prefill_kernel_dense_16k", shape_text(dense_shape) + ", causal", dense_flop, times);
    if (run.torch) row.reference = "LibTorch's flash attention";
    row.target = "at least 0.9 × the reference";
    rows.push_back(std::move(row));
  }
  if (run.context.wants("prefill_kernel_gathered_64k")) {
    constexpr std::int64_t tokens = 65536;
    const RoleArray roles = pattern_roles(RolePattern::independent, 1, plain_heads, tokens, run.scale.kv_fraction);
    BenchmarkedAttention shape{plain_heads, plain_heads, 128, tokens};
    shape.roles = roles.roles.data();
    shape.window = pattern_window;
    const double flop = per_pair * static_cast<double>(visible_pairs(roles, 0, pattern_window));
    NATSCOPE_TRY(const auto gathered, run.kernels->prepare(BenchmarkedKernel::attention_prefill, shape));
    NATSCOPE_TRY(const auto times, paired_steps(step_of(gathered), step_of(dense), budget_s / 2, run.context.stop));
    Row row = flop_row(run, "prefill_kernel_gathered_64k",
                       shape_text(shape) + ", KV fraction " + std::to_string(run.scale.kv_fraction) + ", visible pairs",
                       flop, times);
    row.reference = "own dense kernel, T = 16384, work for work";
    row.ratio = times.ratio() * flop / dense_flop;
    row.target = "at least 0.9 × the reference";
    rows.push_back(std::move(row));
  }
  return rows;
}

Expected<std::vector<Row>> backward_roles_gpu(GpuRun& run, double budget_s) {
  std::vector<Row> rows;
  for (const std::int64_t head_dim : {64, 128}) {
    const std::string row_name = "backward_roles_" + std::to_string(head_dim);
    if (!run.context.wants(row_name)) continue;
    const BenchmarkedAttention shape{plain_heads, plain_heads, head_dim, backward_tokens};
    NATSCOPE_TRY(const auto ours, run.kernels->prepare(BenchmarkedKernel::attention_backward, shape));
    TimedStep reference;
    if (run.torch) {
      NATSCOPE_TRY(reference, run.torch->flash_backward(plain_heads, backward_tokens, head_dim));
    }
    NATSCOPE_TRY(const auto times, paired_steps(step_of(ours), reference, budget_s / 2, run.context.stop));
    // Five products of the causal half, as FlashAttention's authors count.
    const double flop = 10.0 * static_cast<double>(head_dim) * plain_heads * causal_pairs(backward_tokens);
    Row row = flop_row(run, row_name, shape_text(shape) + ", causal, role gradients", flop, times);
    if (run.torch) row.reference = "LibTorch's flash backward, without role gradients";
    row.target = "at least 0.8 × the reference";
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace natscope::bench
