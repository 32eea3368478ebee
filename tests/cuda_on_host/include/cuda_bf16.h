// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// bfloat16 as CUDA names it, for tests/cuda_on_host.

#include <bit>
#include <cstdint>

#include "kernels/element_type.h"

struct __nv_bfloat16 {
  std::uint16_t bits;

  __nv_bfloat16() = default;
  explicit __nv_bfloat16(float number) : bits(natscope::kernels::to_bf16(number).bits) {}
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __float2bfloat16_rn(float number) { return __nv_bfloat16(number); }
inline __nv_bfloat162 __floats2bfloat162_rn(float low, float high) { return {__nv_bfloat16(low), __nv_bfloat16(high)}; }
inline float __bfloat162float(__nv_bfloat16 number) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(number.bits) << 16U);
}
