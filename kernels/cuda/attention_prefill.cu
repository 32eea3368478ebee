// SPDX-License-Identifier: GPL-3.0-or-later
// Prefill: the training attention's forward pass over the chunk (train_loops.h), with tiles of the cache's pages before the chunk's.
#include "kernels/cuda/attention_prefill.h"

#include "kernels/attention_train.h"
#include "kernels/cuda/entry_rows.cuh"
#include "kernels/cuda/prefill_loops.h"
#include "kernels/cuda/train_launch.cuh"
#include "kernels/cuda/train_operands.h"
#include "kernels/launch/sequence_checks.h"

namespace natscope::kernels::cuda {

namespace {

/// Rows are queries of one head; columns slots of the cache, or places of the chunk's keys.
template <class Element, int dim>
class PrefillBlock : public QueryBlock<Element, dim, false> {
  using Queries = QueryBlock<Element, dim, false>;

 public:
  using Shape = typename Queries::Shape;

  __device__ PrefillBlock(const TrainCall& call, const KvHeadPages& pages, int head, void* shared)
      : Queries(call, 0, head, shared), pages_(pages), entries_(pages.state->entries()) {}

  __device__ void fetch_cached(std::int32_t tile, int stage) {
    const auto row = static_cast<int>(threadIdx.x) / 32 * 16;
    fetch_entry_rows<Shape, 16>(pages_, tile * Shape::rows + row, entries_, Queries::keys(stage),
                                Queries::values(stage), row);
  }
  [[nodiscard]] __device__ std::int32_t cached_position(std::int32_t slot) const { return pages_.position(slot); }

 private:
  KvHeadPages pages_;
  std::int32_t entries_;
};

/// Blocks of a multiprocessor that shared memory has room for on an H100: more registers each are free to take.
template <int dim>
constexpr int prefill_blocks = dim == 64    ? 3
                               : dim == 128 ? 2
                                            : 1;

template <class Element, int dim>
__global__ void __launch_bounds__(TileShape<Element, dim>::threads, prefill_blocks<dim>)
    prefill_kernel(__grid_constant__ const TrainCall call, __grid_constant__ const KvArena arena, std::int32_t layer,
                   std::int32_t first) {
  void* const shared = shared_memory();
  const auto head = static_cast<int>(blockIdx.y);
  const int kv_head = head / (call.heads / call.kv_heads);
  const TrainPlan plan = call.scratch.plan(kv_head, call.length, TileShape<Element, dim>::rows);
  const KvHeadPages pages(arena, layer, kv_head);
  const std::int32_t globals = pages.state->held[0];
  const CachedKeys cached{
      globals, globals + pages.state->held[1], pages.state->entries(), first_global(plan), first, arena.window};
  PrefillBlock<Element, dim> block(call, pages, head, shared);
  // Late queries see the most of the chunk: they come first, so that the end is even.
  prefill_block(block, cached, plan, static_cast<std::int32_t>(gridDim.x - 1 - blockIdx.x), call.scale * log2_e);
}

/// One sequence is a batch of one.
template <class T>
View<T, 4> as_batch(const View<T, 3>& view) {
  return {
      view.data, {1, view.size(0), view.size(1), view.size(2)}, {0, view.stride(0), view.stride(1), view.stride(2)}};
}
template <class T>
View<T, 3> as_batch(const View<T, 2>& view) {
  return {view.data, {1, view.size(0), view.size(1)}, {0, view.stride(0), view.stride(1)}};
}

}  // namespace

std::int64_t attention_prefill_scratch_bytes(std::int64_t heads, std::int64_t chunk, const DeviceKvCache& cache) {
  const KvCacheShape& shape = cache.shape();
  AttentionTrainInputs inputs{};
  inputs.q.sizes = {1, heads, chunk, shape.head_dim};
  inputs.k.sizes = {1, shape.kv_heads, chunk, shape.head_dim};
  inputs.dtype = shape.dtype;
  return TrainScratch(TrainSizes(inputs), nullptr, false).used_bytes;
}

Status attention_prefill_fits(std::int64_t head_dim, ElementType dtype) {
  return with_shape(dtype, tile_dim(head_dim), [](auto element, auto dim) -> Status {
    using Element = decltype(element);
    std::int32_t stages = 0;
    return choose_stages<PrefillBlock<Element, dim()>, Element>(stages);
  });
}

Status attention_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys, ConstView<float, 3> values,
                         ConstView<Role, 2> roles, const DeviceKvCache& cache, LayerId layer, TokenPos first,
                         View<float, 3> out, View<float, 2> lse, void* scratch_memory, std::int64_t scratch_bytes,
                         Stream stream) {
  const KvCacheShape& shape = cache.shape();
  if (const Status status = launch::check_prefill(queries, keys, values, roles, shape, layer, first, out, lse);
      !status.ok()) {
    return status;
  }
  if (cache.takes_one_by_one()) return {StatusCode::invalid_argument, "cache: with scores, tokens come one by one"};
  if (queries.size(0) > 65535) return {StatusCode::unsupported_shape, "heads: at most 65535"};
  if (queries.size(1) == 0) return {};
  const AttentionTrainInputs inputs{as_batch(queries), as_batch(keys), as_batch(values),
                                    as_batch(roles),   cache.window(), shape.dtype};
  const TrainSizes sizes(inputs);
  const TrainScratch scratch(sizes, scratch_memory, false);
  if (scratch_bytes < scratch.used_bytes) return {StatusCode::shape_mismatch, "scratch: too small"};
  if (const Status status = prepare_operands(sizes, scratch, inputs, {}, {}, {}, stream); !status.ok()) return status;
  return with_shape(shape.dtype, sizes.dim, [&](auto element, auto dim) -> Status {
    using Element = decltype(element);
    TrainCall call = call_of(sizes, scratch);
    call.out = as_batch(out);
    call.lse = as_batch(lse);
    const dim3 grid(static_cast<unsigned>(sizes.blocks()), static_cast<unsigned>(sizes.heads));
    return launch_tiles<PrefillBlock<Element, dim()>, Element>(prefill_kernel<Element, dim()>, grid, call, stream,
                                                               cache.arena(), layer.value, first.value);
  });
}

}  // namespace natscope::kernels::cuda
