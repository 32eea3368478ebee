// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/train_operands.h"

#include "kernels/cuda/block_team.cuh"
#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/tile_math.cuh"

namespace natscope::kernels::cuda {

namespace {

constexpr int plan_threads = 512;
constexpr int pack_threads = 256;  // one warp a row

__global__ void plan_kernel(TrainScratch scratch, ConstView<Role, 3> roles, std::int64_t window, int tile) {
  __shared__ RoleMasks masks;
  __shared__ std::int32_t counts[role_count];
  const std::int64_t kv_heads = roles.sizes[1];
  const std::int64_t unit = blockIdx.x;
  const std::int64_t length = roles.sizes[2];
  const Role* const row = roles.data + unit / kv_heads * roles.strides[0] + unit % kv_heads * roles.strides[1];
  build_train_plan(BlockTeam(), scratch.plan(unit, length, tile), row, roles.strides[2], window,
                   static_cast<std::int32_t>(train_places(length, tile)), masks, counts);
}

__device__ inline void store(float number, float* to) { *to = number; }
__device__ inline void store(float number, Bf16Element* to) { *to = __float2bfloat16_rn(number); }
__device__ inline float rounded(float number, const float*) { return number; }
__device__ inline float rounded(float number, const Bf16Element*) {
  return __bfloat162float(__float2bfloat16_rn(number));
}

/// Queries of all heads packed, rows past the end zero. With `d_out` also that, the log-sum-exp to base 2 and Δ = Σ dO
/// · O.
template <class Element>
__global__ void pack_query_kernel(TrainScratch scratch, ConstView<float, 4> q, ConstView<float, 4> out,
                                  ConstView<float, 4> d_out, ConstView<float, 3> lse, std::int64_t padded, int dim) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (pack_threads / 32) + threadIdx.x / 32;
  const std::int64_t heads = q.sizes[1];
  if (row >= q.sizes[0] * heads * padded) return;
  const std::int64_t m = row % padded;
  const std::int64_t head = row / padded % heads;
  const std::int64_t batch = row / padded / heads;
  const bool there = m < q.sizes[2];
  const auto at = [&](const ConstView<float, 4>& view) {
    return view.data + batch * view.strides[0] + head * view.strides[1] + m * view.strides[2];
  };
  auto* const query_row = static_cast<Element*>(scratch.queries) + row * dim;
  auto* const d_out_row = static_cast<Element*>(scratch.d_out) + row * dim;
  float delta = 0;
  for (int d = static_cast<int>(threadIdx.x % 32); d < dim; d += 32) {
    const bool inside = there && d < q.sizes[3];
    store(inside ? at(q)[d] : 0.0F, query_row + d);
    if (d_out.data == nullptr) continue;
    const float gradient = inside ? at(d_out)[d] : 0.0F;
    store(gradient, d_out_row + d);
    if (inside) delta = fmaf(rounded(gradient, d_out_row), at(out)[d], delta);
  }
  if (d_out.data == nullptr) return;
  for (int step = 16; step > 0; step /= 2) delta += __shfl_xor_sync(0xffffffffU, delta, step);
  if (threadIdx.x % 32 != 0) return;
  scratch.delta[row] = delta;
  const float row_lse = there ? lse.data[batch * lse.strides[0] + head * lse.strides[1] + m * lse.strides[2]] : 0.0F;
  scratch.lse_log2[row] = static_cast<float>(static_cast<double>(row_lse) * 1.4426950408889634);
}

/// Keys and values of all KV heads by place, zeros where there is no key.
template <class Element>
__global__ void pack_key_kernel(TrainScratch scratch, ConstView<float, 4> k, ConstView<float, 4> v, std::int64_t places,
                                int dim) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (pack_threads / 32) + threadIdx.x / 32;
  const std::int64_t kv_heads = k.sizes[1];
  if (row >= k.sizes[0] * kv_heads * places) return;
  const std::int64_t kv_head = row / places % kv_heads;
  const std::int64_t batch = row / places / kv_heads;
  const std::int32_t n = scratch.by_place[0][row];
  const auto at = [&](const ConstView<float, 4>& view) {
    return view.data + batch * view.strides[0] + kv_head * view.strides[1] + n * view.strides[2];
  };
  for (int d = static_cast<int>(threadIdx.x % 32); d < dim; d += 32) {
    const bool inside = n != no_position && d < k.sizes[3];
    store(inside ? at(k)[d] : 0.0F, static_cast<Element*>(scratch.keys) + row * dim + d);
    store(inside ? at(v)[d] : 0.0F, static_cast<Element*>(scratch.values) + row * dim + d);
  }
}

/// A window longer than the sequence is the sequence: keeps position + window within 32 bits.
std::int64_t short_window(const AttentionTrainInputs& inputs) {
  return inputs.window < inputs.q.size(2) ? inputs.window : inputs.q.size(2);
}

template <class Element>
Status prepare(const TrainSizes& sizes, const TrainScratch& scratch, const AttentionTrainInputs& inputs,
               ConstView<float, 4> out, ConstView<float, 4> d_out, ConstView<float, 3> lse, Stream stream) {
  const auto units = static_cast<unsigned>(sizes.batch * sizes.kv_heads);
  const auto dim = static_cast<int>(sizes.dim);
  if (const Status status = launch_kernel(plan_kernel, units, plan_threads, 0, stream, scratch, inputs.roles,
                                          short_window(inputs), sizes.tile);
      !status.ok()) {
    return status;
  }
  constexpr int rows = pack_threads / 32;
  if (const Status status =
          launch_kernel(pack_query_kernel<Element>, blocks_for(sizes.batch * sizes.heads * sizes.padded_length, rows),
                        pack_threads, 0, stream, scratch, inputs.q, out, d_out, lse, sizes.padded_length, dim);
      !status.ok()) {
    return status;
  }
  return launch_kernel(pack_key_kernel<Element>, blocks_for(sizes.batch * sizes.kv_heads * sizes.places, rows),
                       pack_threads, 0, stream, scratch, inputs.k, inputs.v, sizes.places, dim);
}

}  // namespace

Status prepare_operands(const TrainSizes& sizes, const TrainScratch& scratch, const AttentionTrainInputs& inputs,
                        ConstView<float, 4> out, ConstView<float, 4> d_out, ConstView<float, 3> lse, Stream stream) {
  if (inputs.dtype == ElementType::bf16) return prepare<Bf16Element>(sizes, scratch, inputs, out, d_out, lse, stream);
  return prepare<float>(sizes, scratch, inputs, out, d_out, lse, stream);
}

}  // namespace natscope::kernels::cuda
