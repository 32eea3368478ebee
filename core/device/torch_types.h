// SPDX-License-Identifier: GPL-3.0-or-later
/// What LibTorch calls the kernels' number types. For .cpp files: brings LibTorch.
#pragma once

#include <c10/core/ScalarType.h>

#include "kernels/element_type.h"

namespace natscope {

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

}  // namespace natscope
