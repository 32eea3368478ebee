// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/gpu_run.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>

#include "core/base/cancel.h"
#include "core/device/torch_errors.h"

namespace natscope::bench {

namespace {

std::vector<GpuPart> engine_parts() {
  // What is surest comes first: where time runs out, the last ones are missing.
  return {
      {{"decode_kernel_dense_32k", "decode_kernel_dense_128k", "decode_kernel_dense_64k_group4"},
       20,
       decode_kernel_dense,
       true},
      {{"decode_kernel_ragged_independent", "decode_kernel_ragged_independent_padded", "decode_kernel_ragged_bursts",
        "decode_kernel_ragged_bursts_padded", "decode_kernel_ragged_few_full", "decode_kernel_ragged_few_full_padded"},
       40,
       decode_kernel_ragged,
       true},
      {{"prefill_kernel_dense_16k", "prefill_kernel_gathered_64k"}, 30, prefill_kernel, true},
      {{"backward_roles_64", "backward_roles_128"}, 30, backward_roles_gpu, true},
      {{"decode_step_124m"}, 15, decode_step_small},
      {{"accounting_overhead"}, 25, accounting_overhead},
      {{"longest_context_80gb"}, 40, longest_context},
      {{"memory_8b_200k", "decode_8b_200k", "decode_8b_200k_dense"}, 100, decode_large},
      {{"prefill_8b_200k"}, 140, prefill_large},
  };
}

std::vector<GpuPart> training_parts() {
  return {
      {{"train_step_124m_gpu", "train_step_124m_gpu_peak", "train_step_124m_full_gpu", "train_step_124m_full_gpu_peak"},
       50,
       train_step_gpu},
      {{"finetune_step_8b_8k", "finetune_step_8b_8k_peak", "finetune_memory_8b_8k"}, 80, finetune_step_gpu},
  };
}

/// A defect of one part, or of what it is measured against, is not the others'.
Expected<std::vector<Row>> measure(const GpuPart& part, GpuRun& run) {
  try {
    return part.measure(run, part.budget_s);
  } catch (const std::exception& problem) {
    return from_torch(problem);
  }
}

}  // namespace

std::vector<const char*> GpuSuite::rows() const {
  std::vector<const char*> names;
  for (const GpuPart& part : parts) names.insert(names.end(), part.rows.begin(), part.rows.end());
  return names;
}

std::span<const GpuSuite> gpu_suites() {
  static const std::array all{
      GpuSuite{"train_gpu", "train", "optimiser steps on an NVIDIA GPU: 124 M from scratch, score layers of 8 B at 8 k",
               training_parts()},
      GpuSuite{"gpu", "gpu", "kernels and whole models on an NVIDIA GPU, in under 8 minutes", engine_parts()},
  };
  return all;
}

const GpuSuite& gpu_suite(std::string_view name) {
  const auto suites = gpu_suites();
  return *std::find_if(suites.begin(), suites.end(), [name](const GpuSuite& suite) { return name == suite.name; });
}

Expected<std::vector<Row>> run_gpu_parts(GpuRun& run, const std::vector<GpuPart>& parts) {
  std::vector<Row> rows;
  std::optional<Error> first_failure;
  const auto leave_out = [&](const GpuPart& part, const std::string& why) {
    std::fprintf(stderr, "not measured: %s: %s\n", part.rows.front(), why.c_str());
    for (const char* const row : part.rows) run.report.not_measured.push_back({row, why});
  };
  for (const GpuPart& part : parts) {
    const auto is_wanted = [&](const char* row) { return run.context.wants(row); };
    if (std::none_of(part.rows.begin(), part.rows.end(), is_wanted)) continue;
    if (run.context.stop.stop_requested()) {
      leave_out(part, "interrupted");
      continue;
    }
    if (part.needs_kernels && !run.kernels) {
      leave_out(part, "no module for single kernels on this device");
      continue;
    }
    if (part.budget_s > run.left_s()) {
      leave_out(part, "no time is left");
      continue;
    }
    std::fprintf(stderr, "%s: up to %.0f s of %.0f s that are left\n", part.rows.front(), part.budget_s, run.left_s());
    Expected<std::vector<Row>> measured = measure(part, run);
    if (!measured) {
      if (!first_failure) first_failure = measured.error();
      leave_out(part, measured.error().message);
    } else {
      std::copy_if(std::make_move_iterator(measured->begin()), std::make_move_iterator(measured->end()),
                   std::back_inserter(rows), [&](const Row& row) { return run.context.wants(row.name); });
    }
    if (run.torch) run.torch->release_memory();
    if (run.measured_so_far) run.measured_so_far(run.report, rows);
  }
  if (rows.empty()) NATSCOPE_CHECK(check(run.context.stop));
  if (rows.empty() && first_failure) return Unexpected(*first_failure);
  return rows;
}

}  // namespace natscope::bench
