// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/linear.h"

#include <limits>

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/linear_loops.h"

namespace natscope::kernels::cuda {

namespace {

template <class Weight, int piece>
__global__ void __launch_bounds__(32 * linear_warps)
    linear_kernel(const float* x, std::int64_t rows, const Weight* weight, const float* bias, float* out,
                  std::int64_t out_size, std::int64_t in_size, bool add) {
  const std::int64_t out_row = static_cast<std::int64_t>(blockIdx.x) * linear_warps + threadIdx.x / 32;
  if (out_row >= out_size) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * linear_rows_at_once;
  const Weight* const row = weight + out_row * in_size;
  float sums[linear_rows_at_once] = {};
  linear_lane_sums<piece>(lane, row, x + first * in_size, rows - first, in_size, sums);
#pragma unroll
  for (int at_once = 0; at_once < linear_rows_at_once; ++at_once) {
    if (first + at_once >= rows) break;
    float sum = sums[at_once];
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, step);
    if (lane != 0) continue;
    if (bias != nullptr) sum += bias[out_row];
    float& to = out[(first + at_once) * out_size + out_row];
    to = add ? to + sum : sum;
  }
}

template <class Weight>
Status launch(const float* x, std::int64_t rows, const LinearRow& product, bool add, Stream stream) {
  constexpr std::int64_t most_groups = 65535;
  constexpr int whole = 16 / static_cast<int>(sizeof(Weight));
  const unsigned blocks = blocks_for(product.out_size, linear_warps);
  const auto* const weight = static_cast<const Weight*>(product.weight);
  const bool in_pieces = linear_piece<Weight>(product.in_size, reinterpret_cast<std::uintptr_t>(weight)) == whole;
  for (std::int64_t first = 0; first < rows; first += most_groups * linear_rows_at_once) {
    const std::int64_t left = rows - first;
    const std::int64_t count = left < most_groups * linear_rows_at_once ? left : most_groups * linear_rows_at_once;
    const dim3 grid(blocks, blocks_for(count, linear_rows_at_once));
    const auto kernel = in_pieces ? linear_kernel<Weight, whole> : linear_kernel<Weight, 1>;
    const Status status =
        launch_kernel(kernel, grid, 32 * linear_warps, 0, stream, x + first * product.in_size, count, weight,
                      product.bias, product.out + first * product.out_size, product.out_size, product.in_size, add);
    if (!status.ok()) return status;
  }
  return {};
}

}  // namespace

Status linear(const float* x, std::int64_t rows, const LinearRow& product, bool add, Stream stream) {
  if (product.out_size > std::numeric_limits<std::int32_t>::max())
    return {StatusCode::unsupported_shape, "linear: more rows of weights than a launch takes"};
  if (rows < 1 || product.out_size < 1) return {};
  switch (product.dtype) {
    case ElementType::f32:
      return launch<float>(x, rows, product, add, stream);
    case ElementType::bf16:
      return launch<Bf16>(x, rows, product, add, stream);
    case ElementType::f16:
      break;
  }
  return {StatusCode::unsupported_dtype, "weight"};
}

}  // namespace natscope::kernels::cuda
