// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/kernel_launch.cuh"

namespace natscope::kernels::cuda {

/// Numbers of −1 … 1 from their index (a hash), the same on every run.
static __global__ void fill_with_numbers(float* out, std::int64_t size, std::uint32_t seed) {
  const std::int64_t step = std::int64_t{blockDim.x} * gridDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step) {
    std::uint32_t bits = static_cast<std::uint32_t>(i) * 0x9e3779b9U + seed;
    bits = (bits ^ (bits >> 16U)) * 0x85ebca6bU;
    bits = (bits ^ (bits >> 13U)) * 0xc2b2ae35U;
    out[i] = static_cast<float>(bits >> 8U) * 0x1p-23F - 1.0F;
  }
}

/// The sum of everything, so that no read can be left out; `sum` takes one number a block.
static __global__ void read_everything(const float4* data, std::int64_t size, float* sum) {
  const std::int64_t step = std::int64_t{blockDim.x} * gridDim.x;
  float total = 0;
#pragma unroll 8
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < size; i += step) {
    const float4 four = data[i];
    total += four.x + four.y + four.z + four.w;
  }
  if (total == 0x1p100F) sum[blockIdx.x] = total;  // never; the compiler does not know
}

}  // namespace natscope::kernels::cuda
