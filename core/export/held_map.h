// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/explore/run_figures.h"

namespace natscope {

/// Which of two runs' caches holds which token, after the last one that both have.
struct HeldMap {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  HeldDifference counts;        ///< its `tokens` is T here
  std::vector<HeldBy> held_by;  ///< [layers, kv_heads, T] first: the figure's own run; second: the compared one
};

}  // namespace natscope
