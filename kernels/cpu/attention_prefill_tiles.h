// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cpu/prefill_task.h"

/// Prefill over a bf16 cache in tiles: operands rounded to bf16, sums in f32. The same blocks and the same [key, query]
/// scores as the Highway version. Only when tiles_available().
namespace natscope::kernels::cpu {

/// What one task needs of PrefillTask::scratch.
[[nodiscard]] std::int64_t tile_prefill_scratch_bytes(std::int64_t head_dim, std::int64_t blocks);

void tile_prefill_task(const PrefillTask& task);

}  // namespace natscope::kernels::cpu
