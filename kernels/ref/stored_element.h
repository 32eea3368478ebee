// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/element_type.h"

namespace natscope::kernels::ref {

/// Element `index` of an array, as a double.
inline double stored_element(const void* data, ElementType dtype, std::int64_t index) {
  if (dtype == ElementType::f32) return static_cast<const float*>(data)[index];
  if (dtype == ElementType::f16) return to_float(static_cast<const F16*>(data)[index]);
  return to_float(static_cast<const Bf16*>(data)[index]);
}

}  // namespace natscope::kernels::ref
