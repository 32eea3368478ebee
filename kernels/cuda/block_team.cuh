// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/train_plan.h"

namespace natscope::kernels::cuda {

/// What kv_append.h and decode_loops.h call a Team: the threads of a block, whole warps.
struct BlockTeam {
  template <class F>
  __device__ void each(std::int32_t count, const F& f) const {
    for (auto index = static_cast<std::int32_t>(threadIdx.x); index < count;
         index += static_cast<std::int32_t>(blockDim.x)) {
      f(index);
    }
    __syncthreads();
  }

  template <class Of>
  __device__ void mark(std::int32_t count, const Of& of, RoleMasks& masks) const {
    const std::int32_t whole = (count + 31) / 32 * 32;
    for (auto index = static_cast<std::int32_t>(threadIdx.x); index < whole;
         index += static_cast<std::int32_t>(blockDim.x)) {
      const int run = index < count ? of(index) : role_count;
#pragma unroll
      for (int which = 0; which < role_count; ++which) {
        const std::uint32_t bits = __ballot_sync(0xffffffffU, run == which);
        if (index % 32 == 0) masks.words[which][index / 32] = bits;
      }
    }
    __syncthreads();
  }
};

}  // namespace natscope::kernels::cuda
