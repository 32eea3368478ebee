// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/element_type.h"

namespace natscope::kernels::cpu {

/// to[i] = from[i] rounded to bf16, as to_bf16 does it.
void store_bf16_row(const float* from, std::int64_t count, Bf16* to);

}  // namespace natscope::kernels::cpu
