// SPDX-License-Identifier: GPL-3.0-or-later
/// The training attention of a device over arrays of the host: `kernel --backend cuda`. Copies there and back; for
/// checks, not for speed.
#pragma once

#include <filesystem>
#include <memory>

#include "core/base/expected.h"
#include "core/device/device_module.h"
#include "kernels/attention_train.h"

namespace natscope {

/// Contracts as kernels/attention_train.h, all arrays packed, roles checked already. After an error results are
/// unspecified. Errors: device_unavailable, out_of_memory, internal.
class DeviceAttention {
 public:
  /// Opens `path` (empty: libnatscope_cuda.so beside the program). Errors: as DeviceModule::open.
  [[nodiscard]] static Expected<DeviceAttention> open(const std::filesystem::path& path = {});

  [[nodiscard]] Expected<void> forward(const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out,
                                       kernels::View<float, 3> lse) const;
  [[nodiscard]] Expected<void> backward(const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                                        kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out,
                                        double sparse_regularized_value, kernels::View<float, 4> dq,
                                        kernels::View<float, 4> dk, kernels::View<float, 4> dv,
                                        kernels::View<float, 4> d_roles) const;

 private:
  std::unique_ptr<DeviceModule> module_;
};

}  // namespace natscope
