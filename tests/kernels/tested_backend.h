// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"
#include "kernels/attention_train.h"

/// The table of cases is the same for every implementation. A test program is linked with one of two files that say
/// which ones it runs: tested_backend_host.cpp (ref, cpu, and CUDA's loops over plain arrays) or
/// tested_backend_cuda.cpp (the GPU alone, every call twice, and an error when the bits differ or a guard zone was
/// written).
namespace natscope::test {

/// Training attention with arrays of the host.
struct TrainBackend {
  std::string name;
  std::function<kernels::Status(const kernels::AttentionTrainInputs&, kernels::View<float, 4> out,
                                kernels::View<float, 3> lse)>
      forward;
  std::function<kernels::Status(const kernels::AttentionTrainInputs&, kernels::ConstView<float, 4> out,
                                kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out, double lambda,
                                kernels::View<float, 4> dq, kernels::View<float, 4> dk, kernels::View<float, 4> dv,
                                kernels::View<float, 4> d_roles)>
      backward;
};

/// Maps with arrays of the host.
struct MapBackend {
  std::string name;
  std::function<kernels::Status(const kernels::AttentionMapSource&, TokenPos first_query, TokenPos first_key, int zoom,
                                kernels::View<float, 2> maximum, kernels::View<float, 2> mean,
                                kernels::View<float, 2> visible_share)>
      tile;
  std::function<kernels::Status(const kernels::AttentionMapSource&, TokenPos first_query,
                                std::span<const std::int32_t> other_last_query, const kernels::RowStatisticsOut&)>
      statistics;
};

[[nodiscard]] std::vector<TrainBackend> train_backends();
[[nodiscard]] std::vector<MapBackend> map_backends();

}  // namespace natscope::test
