// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/cache_dtype.h"

namespace natscope {

const char* dtype_name(kernels::ElementType dtype) {
  switch (dtype) {
    case kernels::ElementType::f32:
      return "float32";
    case kernels::ElementType::bf16:
      return "bfloat16";
    case kernels::ElementType::f16:
      return "float16";
  }
  return "";
}

std::optional<kernels::ElementType> dtype_of_name(std::string_view name) {
  for (const auto dtype : {kernels::ElementType::f32, kernels::ElementType::bf16, kernels::ElementType::f16}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  return std::nullopt;
}

}  // namespace natscope
