// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/element_type.h"

/// What the kernels between products share: one definition of each row's arithmetic. A step's products sum in another
/// order than a chunk's (token_products.cu).
namespace natscope::kernels::cuda {

__device__ inline float stored(float value, bool round) { return round ? to_float(to_bf16(value)) : value; }

/// Every lane gets the sum, in the same order each time.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffU, value, step);
  return value;
}

/// out [cols] = RMSNorm(x) · weight by a block of `threads` threads; out may be x.
template <int threads>
__device__ inline void norm_row(const float* x, const float* weight, std::int64_t cols, float eps, bool round,
                                float* out) {
  __shared__ float of_warp[threads / 32];
  float squares = 0;
  for (std::int64_t i = threadIdx.x; i < cols; i += threads) squares += x[i] * x[i];
  squares = warp_sum(squares);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = squares;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int warp = 0; warp < threads / 32; ++warp) total += of_warp[warp];
  const float scale = 1.0F / sqrtf(total / static_cast<float>(cols) + eps);
  for (std::int64_t i = threadIdx.x; i < cols; i += threads) out[i] = stored(x[i] * scale * weight[i], round);
}

/// A head in place, by one warp: RMSNorm with norm [head_dim] unless null, then rotation of pairs (i, i + rotated/2)
/// of its first `rotated` numbers by cosine, sine [rotated/2].
__device__ inline void turn_head(float* head, const float* norm, const float* cosine, const float* sine,
                                 std::int64_t head_dim, std::int64_t rotated, float eps, bool round) {
  const auto lane = static_cast<std::int64_t>(threadIdx.x % 32);
  const std::int64_t half = rotated / 2;
  float scale = 1;
  if (norm != nullptr) {
    float squares = 0;
    for (std::int64_t i = lane; i < head_dim; i += 32) squares += head[i] * head[i];
    scale = 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(head_dim) + eps);
  }
  for (std::int64_t i = lane; i < half; i += 32) {
    const float low = norm != nullptr ? head[i] * scale * norm[i] : head[i];
    const float high = norm != nullptr ? head[i + half] * scale * norm[i + half] : head[i + half];
    head[i] = stored(low * cosine[i] - high * sine[i], round);
    head[i + half] = stored(high * cosine[i] + low * sine[i], round);
  }
  for (std::int64_t i = rotated + lane; i < head_dim; i += 32)
    head[i] = stored(norm != nullptr ? head[i] * scale * norm[i] : head[i], round);
}

__device__ inline float gated(float gate, float up, bool round) {
  return stored(gate / (1.0F + expf(-gate)) * up, round);
}

}  // namespace natscope::kernels::cuda
