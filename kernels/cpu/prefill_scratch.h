// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/cpu/prefill_task.h"
#include "kernels/cpu/query_block.h"
#include "kernels/cpu/scratch.h"

namespace natscope::kernels::cpu {

/// One block's numbers while the keys pass by.
struct BlockState {
  float* queries;  ///< [head_dim, query_block]
  float* sums;     ///< [head_dim, query_block]
  float* largest;  ///< [query_block]
  float* total;    ///< [query_block]
};

/// What a task works in, in PrefillTask::scratch.
struct PrefillScratch {
  PrefillScratch(std::int64_t head_dim, std::int64_t block_count, Carver& carver)
      : scores(carver.take<float>(key_block * query_block)), converted(carver.take<float>(2 * key_block * head_dim)) {
    for (BlockState& block : std::span(blocks).first(static_cast<std::size_t>(block_count))) {
      block.queries = carver.take<float>(head_dim * query_block);
      block.sums = carver.take<float>(head_dim * query_block);
      block.largest = carver.take<float>(query_block);
      block.total = carver.take<float>(query_block);
    }
  }

  std::array<BlockState, most_prefill_blocks> blocks{};
  float* scores;     ///< [key_block, query_block]
  float* converted;  ///< [key_block, 2, head_dim]: keys and values as f32
};

}  // namespace natscope::kernels::cpu
