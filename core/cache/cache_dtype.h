// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string_view>

#include "kernels/element_type.h"

namespace natscope {

/// What a cache's keys and values are stored as, by name: "float32", "bfloat16"; "float16" in caches of other programs.
[[nodiscard]] const char* dtype_name(kernels::ElementType dtype);
/// Nothing for any other name.
[[nodiscard]] std::optional<kernels::ElementType> dtype_of_name(std::string_view name);

}  // namespace natscope
