// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/host_device.h"
#include "kernels/token_roles.h"

namespace natscope::kernels::cuda {

/// The role that learned scores give the token at a position: position 0 is the sink. `scores` in the order G, L, S.
[[nodiscard]] NATSCOPE_HD constexpr Role learned_role(const float* scores, float global_bias, std::int64_t position) {
  return position == 0 ? Role::global : role_from_scores(scores, global_bias);
}

/// The role that a policy without scores gives the token at a position: global before `sinks` and at the listed
/// positions [count], which grow; sliding otherwise. Source: the rules, section 11.
[[nodiscard]] NATSCOPE_HD constexpr Role placed_role(std::int64_t position, std::int64_t sinks,
                                                     const std::int32_t* listed, std::int32_t count) {
  if (position < sinks) return Role::global;
  std::int32_t begin = 0;
  std::int32_t end = count;
  while (begin < end) {
    const std::int32_t middle = begin + (end - begin) / 2;
    if (listed[middle] == position) return Role::global;
    if (listed[middle] < position) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return Role::sliding;
}

}  // namespace natscope::kernels::cuda
