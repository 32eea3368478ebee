// SPDX-License-Identifier: GPL-3.0-or-later
/// What LibTorch calls the devices of passes. Private to core/train.
#pragma once

#include <c10/core/Device.h>

#include "core/train/passes/training_device.h"

namespace natscope::train {

/// Where tensors of such passes lie.
[[nodiscard]] inline at::Device torch_device(PassesOn passes) { return passes == PassesOn::gpu ? at::kCUDA : at::kCPU; }

}  // namespace natscope::train
