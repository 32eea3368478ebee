// SPDX-License-Identifier: GPL-3.0-or-later
/// What LibTorch calls the devices and number types of passes. Private to core/train.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "core/train/passes/training_device.h"
#include "kernels/element_type.h"

namespace natscope::train {

/// Where tensors of such passes lie.
[[nodiscard]] inline at::Device torch_device(PassesOn passes) { return passes == PassesOn::gpu ? at::kCUDA : at::kCPU; }

[[nodiscard]] inline at::ScalarType torch_type(kernels::ElementType type) {
  switch (type) {
    case kernels::ElementType::bf16:
      return at::kBFloat16;
    case kernels::ElementType::f16:
      return at::kHalf;
    case kernels::ElementType::f32:
      break;
  }
  return at::kFloat;
}

}  // namespace natscope::train
