// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "kernels/cpu/prefill_plan.h"

namespace natscope::kernels::cpu {

/// At most so many blocks of queries go through the keys together, so that a key read from memory serves them all.
inline constexpr std::int64_t most_prefill_blocks = 16;

/// query_block neighbouring queries of one head, and what they see.
struct PrefillBlock {
  const float* queries = nullptr;  ///< [rows, head_dim], `query_stride` apart
  float* out = nullptr;            ///< [rows, head_dim], `out_stride` apart
  float* lse = nullptr;            ///< [rows], `lse_stride` apart
  std::int64_t query_stride = 0;
  std::int64_t out_stride = 0;
  std::int64_t lse_stride = 0;
  std::int64_t rows = 0;
  std::int64_t first = 0;  ///< position of the first query
  std::array<PrefillRange, role_count> ranges{};
};

/// What one thread does in one go: some blocks of queries over the keys of one KV head, in numbers of its own.
struct PrefillTask {
  const PrefillKeys* keys = nullptr;
  std::int64_t head_dim = 0;
  ElementType dtype = ElementType::f32;  ///< of cached keys and values
  std::array<PrefillBlock, most_prefill_blocks> blocks{};
  std::int64_t block_count = 0;
  std::byte* scratch = nullptr;  ///< aligned to HWY_ALIGNMENT, as large as the backend's own function says
};

/// The places of one role that any block of the task sees.
[[nodiscard]] inline PrefillRange any_block_range(const PrefillTask& task, std::size_t role) {
  PrefillRange all = task.blocks[0].ranges[role];
  for (std::int64_t index = 0; index < task.block_count; ++index) {
    const PrefillRange& range = task.blocks[static_cast<std::size_t>(index)].ranges[role];
    if (range.begin == range.end) continue;
    if (all.begin == all.end) all = range;
    all.begin = std::min(all.begin, range.begin);
    all.end = std::max(all.end, range.end);
  }
  return all;
}

}  // namespace natscope::kernels::cpu
