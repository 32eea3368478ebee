// SPDX-License-Identifier: GPL-3.0-or-later
/// A device of LibTorch's with the attention that computes there. Private to core/train.
#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "core/base/expected.h"
#include "core/train/passes/training_device.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

struct PassesDevice {
  at::Device device = at::kCPU;
  std::unique_ptr<TrainingAttention> attention;
};

/// `passes`: libtorch or gpu. `backend`: of the attention in ordinary memory. Errors: as open_gpu_attention().
[[nodiscard]] Expected<PassesDevice> open_passes_device(PassesOn passes, kernels::Backend backend,
                                                        std::int64_t head_dim, ComputeDType dtype);

}  // namespace natscope::train
