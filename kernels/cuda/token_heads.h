// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/device.h"
#include "kernels/device_operations.h"

namespace natscope::kernels::cuda {

/// Everything between a step's projections and its attention in one kernel: heads turned, values rounded, roles
/// decided. The bits of turn_heads, round_to_bf16 and assign_prescribed_roles.
Status token_heads(const TokenHeads& call, Stream stream);

}  // namespace natscope::kernels::cuda
