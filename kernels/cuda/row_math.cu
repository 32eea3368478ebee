// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/row_math.h"

#include <limits>

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/row_math.cuh"

namespace natscope::kernels::cuda {

namespace {

constexpr int threads = 256;
constexpr int warps = threads / 32;

[[nodiscard]] bool fits(std::int64_t blocks) {
  return blocks >= 1 && blocks <= std::numeric_limits<std::int32_t>::max();
}
constexpr Status too_large{StatusCode::unsupported_shape, "more rows than a launch takes"};

/// A block a row.
__global__ void __launch_bounds__(threads)
    rms_norm_kernel(const float* x, const float* weight, std::int64_t cols, float eps, bool round, float* out) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * cols;
  norm_row<threads>(x + start, weight, cols, eps, round, out + start);
}

/// A warp a head.
__global__ void __launch_bounds__(threads)
    turn_heads_kernel(float* x, const float* norm, const float* cosine, const float* sine, std::int64_t all_heads,
                      std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps, bool round) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * warps + threadIdx.x / 32;
  if (index >= all_heads) return;
  const std::int64_t angles = index / heads * (rotated / 2);
  turn_head(x + index * head_dim, norm, cosine + angles, sine + angles, head_dim, rotated, eps, round);
}

__global__ void __launch_bounds__(threads) swiglu_kernel(float* gate, const float* up, std::int64_t size, bool round) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < size) gate[i] = gated(gate[i], up[i], round);
}

__global__ void __launch_bounds__(threads) round_kernel(float* x, std::int64_t size) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < size) x[i] = stored(x[i], true);
}

}  // namespace

Status rms_norm(const float* x, const float* weight, std::int64_t rows, std::int64_t cols, float eps, bool round,
                float* out, Stream stream) {
  if (!fits(rows)) return too_large;
  return launch_kernel(rms_norm_kernel, static_cast<unsigned>(rows), threads, 0, stream, x, weight, cols, eps, round,
                       out);
}

Status turn_heads(float* x, const float* norm, const float* cosine, const float* sine, std::int64_t rows,
                  std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps, bool round,
                  Stream stream) {
  if (!fits(rows * heads)) return too_large;
  return launch_kernel(turn_heads_kernel, blocks_for(rows * heads, warps), threads, 0, stream, x, norm, cosine, sine,
                       rows * heads, heads, head_dim, rotated, eps, round);
}

Status swiglu(float* gate, const float* up, std::int64_t size, bool round, Stream stream) {
  if (!fits((size + threads - 1) / threads)) return too_large;
  return launch_kernel(swiglu_kernel, blocks_for(size, threads), threads, 0, stream, gate, up, size, round);
}

Status round_to_bf16(float* x, std::int64_t size, Stream stream) {
  if (!fits((size + threads - 1) / threads)) return too_large;
  return launch_kernel(round_kernel, blocks_for(size, threads), threads, 0, stream, x, size);
}

}  // namespace natscope::kernels::cuda
