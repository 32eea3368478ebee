// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/cuda/train_plan.h"

namespace natscope::kernels::cuda {

/// What the lane `step` away holds.
template <class T>
__device__ T from_lane(const T& number, int step) {
  static_assert(sizeof(T) % sizeof(std::uint32_t) == 0);
  std::uint32_t words[sizeof(T) / sizeof(std::uint32_t)];
  memcpy(words, &number, sizeof(T));
#pragma unroll
  for (std::uint32_t& word : words) word = __shfl_xor_sync(0xffffffffU, word, step);
  T other;
  memcpy(&other, words, sizeof(T));
  return other;
}

/// A warp's numbers joined, the same for every lane.
template <class T, class Join>
__device__ T over_lanes(T number, const Join& both) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) number = both(number, from_lane(number, step));
  return number;
}

/// What kv_append.h, kv_evict.h and train_plan.h call a Team: the threads of a block, whole warps.
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

  /// Always in the same order: every thread its own, then a warp's, then the warps'.
  template <class T, class F, class Join>
  __device__ T join(std::int32_t count, T number, const F& f, const Join& both) const {
    __shared__ T of_warp[32];
    for (auto index = static_cast<std::int32_t>(threadIdx.x); index < count;
         index += static_cast<std::int32_t>(blockDim.x)) {
      number = both(number, f(index));
    }
    number = over_lanes(number, both);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = number;
    __syncthreads();
    number = of_warp[0];
    for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) number = both(number, of_warp[warp]);
    __syncthreads();
    return number;
  }
};

/// The lanes of a warp, as decode_loops.h walks over heads with them.
struct WarpLanes {
  static constexpr std::int32_t count = 32;

  [[nodiscard]] __device__ static std::int32_t own() { return static_cast<std::int32_t>(threadIdx.x % 32); }
  [[nodiscard]] __device__ static std::int32_t sum(std::int32_t number) {
    return over_lanes(number, [](std::int32_t a, std::int32_t b) { return a + b; });
  }
  [[nodiscard]] __device__ static std::int32_t sum_up_to(std::int32_t number) {
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const std::int32_t before = __shfl_sync(0xffffffffU, number, own() < step ? own() : own() - step);
      if (own() >= step) number += before;
    }
    return number;
  }
  [[nodiscard]] __device__ static std::int32_t first(bool says_yes) {
    const unsigned bits = __ballot_sync(0xffffffffU, says_yes);
    return bits == 0 ? count : count_bits((bits & (0U - bits)) - 1U);
  }
  [[nodiscard]] __device__ static std::int32_t of(std::int32_t number, std::int32_t lane) {
    return __shfl_sync(0xffffffffU, number, lane);
  }
};

/// What decode_loops.h calls a Team: a block whose warps all find the same sum for themselves, since the numbers are
/// few and nobody waits for the others then.
struct AloneTeam : BlockTeam {
  template <class F>
  __device__ float sum(std::int32_t count, const F& f) const {
    return join(count, 0.0F, f, [](float a, float b) { return a + b; });
  }
  template <class F>
  __device__ float largest(std::int32_t count, const F& f) const {
    return join(count, -INFINITY, f, [](float a, float b) { return fmaxf(a, b); });
  }

 private:
  template <class F, class Join>
  __device__ static float join(std::int32_t count, float number, const F& f, const Join& both) {
    for (std::int32_t index = WarpLanes::own(); index < count; index += WarpLanes::count)
      number = both(number, f(index));
    return over_lanes(number, both);
  }
};

}  // namespace natscope::kernels::cuda
