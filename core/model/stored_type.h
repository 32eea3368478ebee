// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/dtype.h"
#include "kernels/element_type.h"

namespace natscope {

/// What kernels call the numbers of a weight. `dtype`: one of is_weight_dtype().
[[nodiscard]] constexpr kernels::ElementType stored_type(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return kernels::ElementType::bf16;
    case DType::f16:
      return kernels::ElementType::f16;
    default:
      return kernels::ElementType::f32;
  }
}

}  // namespace natscope
