// SPDX-License-Identifier: GPL-3.0-or-later
// Training attention: plans and packed operands first, then tiles (train_loops.h). Backward takes two passes over pairs: dk, dv and
// role sums by tiles of keys over every causal pair, dq by blocks of queries over the visible pairs. That computes visible scores
// twice, and needs no atomic sum: with most keys dropped it costs less than one pass over everything would.
#include "kernels/cuda/attention_train.h"

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/train_blocks.cuh"
#include "kernels/cuda/train_launch.cuh"
#include "kernels/cuda/train_operands.h"
#include "kernels/launch/attention_train_checks.h"

namespace natscope::kernels::cuda {

namespace {

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads)
    forward_kernel(__grid_constant__ const TrainCall call) {
  void* const shared = shared_memory();
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
  void* const shared = shared_memory();
  const auto batch = static_cast<int>(blockIdx.z);
  const auto head = static_cast<int>(blockIdx.y);
  const TrainPlan plan =
      call.scratch.plan(static_cast<std::int64_t>(batch) * call.kv_heads + head / (call.heads / call.kv_heads),
                        call.length, TileShape<Element, dim>::rows);
  QueryBlock<Element, dim, true> block(call, batch, head, shared);
  train_query_gradient_block(block, plan, static_cast<std::int32_t>(gridDim.x - 1 - blockIdx.x), call.scale * log2_e);
}

/// Blocks of a multiprocessor that key_gradient_kernel is compiled for; 0: nothing is said of it. Where nothing is,
/// ptxas 13.0 takes 32 registers for the widest heads on compute capability 8.0, and keeps all else in memory.
template <int dim>
inline constexpr int key_gradient_blocks = dim == 256 ? 1 : 0;

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads, key_gradient_blocks<dim>)
    key_gradient_kernel(__grid_constant__ const TrainCall call) {
  void* const shared = shared_memory();
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

Status check_call(const AttentionTrainInputs& inputs, std::int64_t scratch_bytes, bool backward) {
  if (const Status status = launch::check_train_shapes(inputs); !status.ok()) return status;
  constexpr std::int64_t most_blocks = 65535;
  if (inputs.q.size(0) > most_blocks || inputs.q.size(1) > most_blocks)
    return {StatusCode::unsupported_shape, "batch, heads: at most 65535"};
  if (scratch_bytes < attention_train_scratch_bytes(inputs, backward))
    return {StatusCode::shape_mismatch, "scratch: too small"};
  return {};
}

}  // namespace

Status attention_train_fits(std::int64_t head_dim, ElementType dtype) {
  return with_shape(dtype, tile_dim(head_dim), [](auto element, auto dim) -> Status {
    using Element = decltype(element);
    std::int32_t stages = 0;
    for (const Status& status : {choose_stages<QueryBlock<Element, dim(), false>, Element>(stages),
                                 choose_stages<QueryBlock<Element, dim(), true>, Element>(stages),
                                 choose_stages<KeyBlock<Element, dim()>, Element>(stages)})
      if (!status.ok()) return status;
    return {};
  });
}

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
    if (const Status status = prepare_operands(sizes, scratch, inputs, {}, {}, {}, stream); !status.ok()) return status;
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
    if (const Status status = prepare_operands(sizes, scratch, inputs, out, d_out, lse, stream); !status.ok())
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
      if (const Status status =
              launch_kernel(role_gradient_kernel, blocks_for(units * sizes.places, 256), 256, 0, stream, scratch,
                            sizes.length, sizes.tile, units, sparse_regularized_value, d_roles);
          !status.ok()) {
        return status;
      }
    }
    const dim3 blocks(static_cast<unsigned>(sizes.blocks()), static_cast<unsigned>(sizes.heads),
                      static_cast<unsigned>(sizes.batch));
    return launch_tiles<QueryBlock<Element, dim(), true>, Element>(query_gradient_kernel<Element, dim()>, blocks, call,
                                                                   stream);
  });
}

}  // namespace natscope::kernels::cuda
