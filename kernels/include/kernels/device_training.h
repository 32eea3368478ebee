// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/attention_train.h"

/// The training attention on a GPU over arrays of the host, for `natscope-cli kernel --backend cuda`: what
/// libnatscope_cuda_bench.so offers besides its measurements. Copies there and back; for checks, not for speed.
namespace natscope::kernels {

inline constexpr std::uint32_t device_training_abi_version = 1;
inline constexpr const char* device_training_entry_point = "natscope_device_training";

struct DeviceTraining {
  std::uint32_t abi_version = 0;  ///< first, and never moved
  std::uint32_t size_bytes = 0;   ///< of this struct

  /// As kernels/attention_train.h says, all arrays packed and on the host, roles checked already.
  /// Errors: also backend_unavailable (no driver, no GPU). `detail` goes with the module.
  Status (*forward)(const AttentionTrainInputs* inputs, const View<float, 4>* out, const View<float, 3>* lse) = nullptr;
  Status (*backward)(const AttentionTrainInputs* inputs, const ConstView<float, 4>* out, const ConstView<float, 3>* lse,
                     const ConstView<float, 4>* d_out, double sparse_regularized_value, const View<float, 4>* dq,
                     const View<float, 4>* dk, const View<float, 4>* dv, const View<float, 4>* d_roles) = nullptr;
};

}  // namespace natscope::kernels
