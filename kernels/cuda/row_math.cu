// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/row_math.h"

#include <limits>

#include "kernels/cuda/launch_status.cuh"
#include "kernels/element_type.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;

[[nodiscard]] bool fits(std::int64_t blocks) {
  return blocks >= 1 && blocks <= std::numeric_limits<std::int32_t>::max();
}
constexpr Status too_large{StatusCode::unsupported_shape, "more rows than a launch takes"};

__device__ float stored(float value, bool round) { return round ? to_float(to_bf16(value)) : value; }

/// Every lane gets the sum, in the same order each time.
__device__ float warp_sum(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffU, value, step);
  return value;
}

/// A block a row.
__global__ void __launch_bounds__(threads)
    rms_norm_kernel(const float* x, const float* weight, std::int64_t cols, float eps, bool round, float* out) {
  __shared__ float of_warp[warps];
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * cols;
  float squares = 0;
  for (std::int64_t i = threadIdx.x; i < cols; i += threads) squares += x[start + i] * x[start + i];
  squares = warp_sum(squares);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = squares;
  __syncthreads();
  float total = 0;
#pragma unroll
  for (int warp = 0; warp < warps; ++warp) total += of_warp[warp];
  const float scale = 1.0F / sqrtf(total / static_cast<float>(cols) + eps);
  for (std::int64_t i = threadIdx.x; i < cols; i += threads)
    out[start + i] = stored(x[start + i] * scale * weight[i], round);
}

/// A warp a head.
__global__ void __launch_bounds__(threads)
    turn_heads_kernel(float* x, const float* norm, const float* cosine, const float* sine, std::int64_t all_heads,
                      std::int64_t heads, std::int64_t head_dim, float eps, bool round) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * warps + threadIdx.x / 32;
  if (index >= all_heads) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  float* const head = x + index * head_dim;
  const std::int64_t half = head_dim / 2;
  const std::int64_t angles = index / heads * half;
  float scale = 1;
  if (norm != nullptr) {
    float squares = 0;
    for (std::int64_t i = lane; i < head_dim; i += 32) squares += head[i] * head[i];
    scale = 1.0F / sqrtf(warp_sum(squares) / static_cast<float>(head_dim) + eps);
  }
  for (std::int64_t i = lane; i < half; i += 32) {
    const float low = norm != nullptr ? head[i] * scale * norm[i] : head[i];
    const float high = norm != nullptr ? head[i + half] * scale * norm[i + half] : head[i + half];
    head[i] = stored(low * cosine[angles + i] - high * sine[angles + i], round);
    head[i + half] = stored(high * cosine[angles + i] + low * sine[angles + i], round);
  }
}

__global__ void __launch_bounds__(threads) swiglu_kernel(float* gate, const float* up, std::int64_t size, bool round) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < size) gate[i] = stored(gate[i] / (1.0F + expf(-gate[i])) * up[i], round);
}

__global__ void __launch_bounds__(threads) round_kernel(float* x, std::int64_t size) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < size) x[i] = stored(x[i], true);
}

}  // namespace

Status rms_norm(const float* x, const float* weight, std::int64_t rows, std::int64_t cols, float eps, bool round,
                float* out, Stream stream) {
  if (!fits(rows)) return too_large;
  rms_norm_kernel<<<static_cast<unsigned>(rows), threads, 0, stream>>>(x, weight, cols, eps, round, out);
  return launched();
}

Status turn_heads(float* x, const float* norm, const float* cosine, const float* sine, std::int64_t rows,
                  std::int64_t heads, std::int64_t head_dim, float eps, bool round, Stream stream) {
  if (!fits(rows * heads)) return too_large;
  turn_heads_kernel<<<blocks_for(rows * heads, warps), threads, 0, stream>>>(x, norm, cosine, sine, rows * heads, heads,
                                                                             head_dim, eps, round);
  return launched();
}

Status swiglu(float* gate, const float* up, std::int64_t size, bool round, Stream stream) {
  if (!fits((size + threads - 1) / threads)) return too_large;
  swiglu_kernel<<<blocks_for(size, threads), threads, 0, stream>>>(gate, up, size, round);
  return launched();
}

Status round_to_bf16(float* x, std::int64_t size, Stream stream) {
  if (!fits((size + threads - 1) / threads)) return too_large;
  round_kernel<<<blocks_for(size, threads), threads, 0, stream>>>(x, size);
  return launched();
}

}  // namespace natscope::kernels::cuda
