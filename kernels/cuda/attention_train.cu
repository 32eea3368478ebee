// SPDX-License-Identifier: GPL-3.0-or-later
// Training attention: plans and packed operands first, then tiles (train_loops.h). Backward takes two passes over pairs: dk, dv and
// role sums by tiles of keys over every causal pair, dq by blocks of queries over the visible pairs. That computes visible scores
// twice, and needs no atomic sum: with most keys dropped it costs less than one pass over everything would.
#include "kernels/cuda/attention_train.h"

#include <cmath>

#include "kernels/cuda/launch_status.cuh"
#include "kernels/cuda/train_blocks.cuh"
#include "kernels/launch/attention_train_checks.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int plan_threads = 512;
constexpr int pack_threads = 256;  // one warp a row

struct DeviceTeam {
  template <class F>
  __device__ void each(std::int32_t count, const F& f) const {
    for (auto index = static_cast<std::int32_t>(threadIdx.x); index < count;
         index += static_cast<std::int32_t>(blockDim.x)) {
      f(index);
    }
    __syncthreads();
  }
};

__global__ void plan_kernel(TrainScratch scratch, ConstView<Role, 3> roles, std::int64_t window, int tile) {
  __shared__ RoleMasks masks;
  __shared__ std::int32_t counts[role_count];
  const std::int64_t kv_heads = roles.sizes[1];
  const std::int64_t unit = blockIdx.x;
  const std::int64_t length = roles.sizes[2];
  const Role* const row = roles.data + unit / kv_heads * roles.strides[0] + unit % kv_heads * roles.strides[1];
  build_train_plan(DeviceTeam(), scratch.plan(unit, length, tile), row, roles.strides[2], window,
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

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads)
    forward_kernel(__grid_constant__ const TrainCall call) {
  extern __shared__ uint4 shared[];
  const auto batch = static_cast<int>(blockIdx.z);
  const auto head = static_cast<int>(blockIdx.y);
  const TrainPlan plan =
      call.scratch.plan(static_cast<std::int64_t>(batch) * call.kv_heads + head / (call.heads / call.kv_heads),
                        call.length, TileShape<Element, dim>::rows);
  QueryBlock<Element, dim, false> block(call, batch, head, shared);
  // Late queries see the most: they come first, so that the end is even.
  train_forward_block(block, plan, static_cast<std::int32_t>(gridDim.x - 1 - blockIdx.x), call.scale * log2_e);
}

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads)
    query_gradient_kernel(__grid_constant__ const TrainCall call) {
  extern __shared__ uint4 shared[];
  const auto batch = static_cast<int>(blockIdx.z);
  const auto head = static_cast<int>(blockIdx.y);
  const TrainPlan plan =
      call.scratch.plan(static_cast<std::int64_t>(batch) * call.kv_heads + head / (call.heads / call.kv_heads),
                        call.length, TileShape<Element, dim>::rows);
  QueryBlock<Element, dim, true> block(call, batch, head, shared);
  train_query_gradient_block(block, plan, static_cast<std::int32_t>(gridDim.x - 1 - blockIdx.x), call.scale * log2_e);
}

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads)
    key_gradient_kernel(__grid_constant__ const TrainCall call) {
  extern __shared__ uint4 shared[];
  const auto batch = static_cast<int>(blockIdx.z);
  const auto kv_head = static_cast<int>(blockIdx.y);
  const TrainPlan plan = call.scratch.plan(static_cast<std::int64_t>(batch) * call.kv_heads + kv_head, call.length,
                                           TileShape<Element, dim>::rows);
  KeyBlock<Element, dim> block(call, batch, kv_head, shared);
  train_key_gradient_block(block, plan, static_cast<std::int32_t>(blockIdx.x), call.heads / call.kv_heads,
                           call.with_roles, call.scale * log2_e);
}

__global__ void role_gradient_kernel(TrainScratch scratch, std::int64_t length, int tile, std::int64_t units,
                                     double lambda, View<float, 4> d_roles) {
  const std::int64_t places = train_places(length, tile);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= units * places) return;
  const std::int64_t unit = row / places;
  const TrainPlan plan = scratch.plan(unit, length, tile);
  const auto place = static_cast<std::int32_t>(row % places);
  if (plan.position[place] == no_position) return;
  const std::int64_t first = unit * places;
  float gradient[role_count];
  role_gradient(plan, place, scratch.sums[0] + first, scratch.sums[1] + first, scratch.sums[2] + first,
                scratch.sums[3] + first, lambda, gradient);
  const std::int64_t kv_heads = d_roles.sizes[1];
  float* const to = d_roles.data + unit / kv_heads * d_roles.strides[0] + unit % kv_heads * d_roles.strides[1] +
                    plan.position[place] * d_roles.strides[2];
  for (int option = 0; option < role_count; ++option) to[option * d_roles.strides[3]] = gradient[option];
}

/// Launches with as many stages as shared memory allows, two if it can.
template <class Block, class Element, class Kernel>
Status launch_tiles(Kernel kernel, dim3 grid, TrainCall& call, Stream stream) {
  using Shape = typename Block::Shape;
  int device = 0;
  int most = 0;
  if (const Status status = to_status(cudaGetDevice(&device)); !status.ok()) return status;
  if (const Status status = to_status(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
      !status.ok()) {
    return status;
  }
  const auto bytes = [](int stages) {
    return train_shared_bytes<Shape, Element>(Block::fixed_tiles, Block::staged_tiles, stages);
  };
  call.stages = bytes(2) <= most ? 2 : 1;
  if (bytes(call.stages) > most)
    return {StatusCode::unsupported_shape, "head_dim: more than this GPU's shared memory takes"};
  const auto shared = static_cast<int>(bytes(call.stages));
  if (const Status status =
          to_status(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
      !status.ok()) {
    return status;
  }
  kernel<<<grid, Shape::threads, static_cast<std::size_t>(shared), stream>>>(call);
  return launched();
}

/// f(Element, integral constant of dim) for what the call takes.
template <class F>
Status with_shape(ElementType dtype, std::int64_t dim, const F& f) {
  const auto with_dim = [&](auto element) {
    if (dim == 64) return f(element, std::integral_constant<int, 64>());
    if (dim == 128) return f(element, std::integral_constant<int, 128>());
    return f(element, std::integral_constant<int, 256>());
  };
  return dtype == ElementType::bf16 ? with_dim(Bf16Element()) : with_dim(0.0F);
}

/// A window longer than the sequence is the sequence: keeps position + window within 32 bits.
std::int64_t short_window(const AttentionTrainInputs& inputs) {
  return inputs.window < inputs.q.size(2) ? inputs.window : inputs.q.size(2);
}

Status check_call(const AttentionTrainInputs& inputs, std::int64_t scratch_bytes, bool backward) {
  if (const Status status = launch::check_train_shapes(inputs); !status.ok()) return status;
  constexpr std::int64_t most_blocks = 65535;
  if (inputs.q.size(0) > most_blocks || inputs.q.size(1) > most_blocks)
    return {StatusCode::unsupported_shape, "batch, heads: at most 65535"};
  if (scratch_bytes < attention_train_scratch_bytes(inputs, backward))
    return {StatusCode::shape_mismatch, "scratch: too small"};
  return {};
}

/// The plan and packed operands, which every pass reads.
template <class Element>
Status prepare(const TrainSizes& sizes, const TrainScratch& scratch, const AttentionTrainInputs& inputs,
               ConstView<float, 4> out, ConstView<float, 4> d_out, ConstView<float, 3> lse, Stream stream) {
  const auto units = static_cast<unsigned>(sizes.batch * sizes.kv_heads);
  const auto dim = static_cast<int>(sizes.dim);
  plan_kernel<<<units, plan_threads, 0, stream>>>(scratch, inputs.roles, short_window(inputs),
                                                  static_cast<int>(sizes.tile));
  if (const Status status = launched(); !status.ok()) return status;
  constexpr int rows = pack_threads / 32;
  pack_query_kernel<Element>
      <<<blocks_for(sizes.batch * sizes.heads * sizes.padded_length, rows), pack_threads, 0, stream>>>(
          scratch, inputs.q, out, d_out, lse, sizes.padded_length, dim);
  if (const Status status = launched(); !status.ok()) return status;
  pack_key_kernel<Element><<<blocks_for(sizes.batch * sizes.kv_heads * sizes.places, rows), pack_threads, 0, stream>>>(
      scratch, inputs.k, inputs.v, sizes.places, dim);
  return launched();
}

TrainCall call_of(const TrainSizes& sizes, const TrainScratch& scratch) {
  return {scratch,
          sizes.length,
          sizes.head_dim,
          static_cast<std::int32_t>(sizes.heads),
          static_cast<std::int32_t>(sizes.kv_heads),
          1,
          static_cast<float>(1 / std::sqrt(static_cast<double>(sizes.head_dim))),
          false,
          {},
          {},
          {},
          {},
          {}};
}

}  // namespace

std::int64_t attention_train_scratch_bytes(const AttentionTrainInputs& inputs, bool backward) {
  return TrainScratch(TrainSizes(inputs), nullptr, backward).used_bytes;
}

Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse,
                               void* scratch_memory, std::int64_t scratch_bytes, Stream stream) {
  if (const Status status = check_call(inputs, scratch_bytes, false); !status.ok()) return status;
  if (const Status status = launch::check_train_outputs(inputs, out, lse); !status.ok()) return status;
  if (launch::is_empty_train(inputs)) return {};
  const TrainSizes sizes(inputs);
  const TrainScratch scratch(sizes, scratch_memory, false);
  return with_shape(inputs.dtype, sizes.dim, [&](auto element, auto dim) -> Status {
    using Element = decltype(element);
    if (const Status status = prepare<Element>(sizes, scratch, inputs, {}, {}, {}, stream); !status.ok()) return status;
    TrainCall call = call_of(sizes, scratch);
    call.out = out;
    call.lse = lse;
    const dim3 grid(static_cast<unsigned>(sizes.blocks()), static_cast<unsigned>(sizes.heads),
                    static_cast<unsigned>(sizes.batch));
    return launch_tiles<QueryBlock<Element, dim(), false>, Element>(forward_kernel<Element, dim()>, grid, call, stream);
  });
}

Status attention_train_backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
                                ConstView<float, 4> d_out, double sparse_regularized_value, View<float, 4> dq,
                                View<float, 4> dk, View<float, 4> dv, View<float, 4> d_roles, void* scratch_memory,
                                std::int64_t scratch_bytes, Stream stream) {
  if (const Status status = check_call(inputs, scratch_bytes, true); !status.ok()) return status;
  if (const Status status =
          launch::check_train_gradients(inputs, out, lse, d_out, sparse_regularized_value, dq, dk, dv, d_roles);
      !status.ok()) {
    return status;
  }
  if (launch::is_empty_train(inputs)) return {};
  const TrainSizes sizes(inputs);
  const TrainScratch scratch(sizes, scratch_memory, true);
  return with_shape(inputs.dtype, sizes.dim, [&](auto element, auto dim) -> Status {
    using Element = decltype(element);
    if (const Status status = prepare<Element>(sizes, scratch, inputs, out, d_out, lse, stream); !status.ok())
      return status;
    TrainCall call = call_of(sizes, scratch);
    call.with_roles = d_roles.data != nullptr;
    call.dq = dq;
    call.dk = dk;
    call.dv = dv;
    const dim3 tiles(static_cast<unsigned>(sizes.places / sizes.tile), static_cast<unsigned>(sizes.kv_heads),
                     static_cast<unsigned>(sizes.batch));
    if (const Status status =
            launch_tiles<KeyBlock<Element, dim()>, Element>(key_gradient_kernel<Element, dim()>, tiles, call, stream);
        !status.ok()) {
      return status;
    }
    if (call.with_roles) {
      const std::int64_t units = sizes.batch * sizes.kv_heads;
      role_gradient_kernel<<<blocks_for(units * sizes.places, 256), 256, 0, stream>>>(
          scratch, sizes.length, static_cast<int>(sizes.tile), units, sparse_regularized_value, d_roles);
      if (const Status status = launched(); !status.ok()) return status;
    }
    const dim3 blocks(static_cast<unsigned>(sizes.blocks()), static_cast<unsigned>(sizes.heads),
                      static_cast<unsigned>(sizes.batch));
    return launch_tiles<QueryBlock<Element, dim(), true>, Element>(query_gradient_kernel<Element, dim()>, blocks, call,
                                                                   stream);
  });
}

}  // namespace natscope::kernels::cuda
