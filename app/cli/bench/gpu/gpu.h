// SPDX-License-Identifier: GPL-3.0-or-later
/// `bench gpu` and `bench train_gpu`: opens the GPU, measures its roofs, then the rows.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "app/cli/bench/gpu/gpu_run.h"

namespace natscope::bench {

struct GpuResults {
  GpuReport report;
  std::vector<Row> rows;
};

/// Prints the plan to stderr first. Errors: device_unavailable (no GPU, no module for one), interrupted, and the first
/// row's where not one could be measured.
/// `measured_so_far` hears of the results after each part.
[[nodiscard]] Expected<GpuResults> run_gpu(const GpuSuite& suite, const Context& context,
                                           const std::function<void(const GpuResults&)>& measured_so_far = {});

/// The same as a part of something larger, which goes on: without a GPU the rows are not measured, and that is why.
/// Errors: interrupted.
[[nodiscard]] Expected<GpuResults> run_gpu_if_there(const GpuSuite& suite, const Context& context);

[[nodiscard]] nlohmann::json not_measured_json(const GpuReport& report);  ///< [{name, why}]

/// {commit, date, gpu, driver, roofs, rows, not_measured}.
[[nodiscard]] nlohmann::json gpu_results_json(const GpuResults& results, const std::string& commit,
                                              const std::string& date);

}  // namespace natscope::bench
