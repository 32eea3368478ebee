// SPDX-License-Identifier: GPL-3.0-or-later
// Decode: warps that know nothing of each other, each with its share of all heads' keys, its own tiles in shared memory and two of
// them on their way; then one block a query head puts together what they found. Reading is all that counts here: up to 16
// query heads share a tile, so tensor cores have little to do and a byte comes once.
#include "kernels/cuda/attention_decode.h"

#include <algorithm>

#include "kernels/cuda/block_team.cuh"
#include "kernels/cuda/decode_loops.h"
#include "kernels/cuda/entry_rows.cuh"
#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/softmax_rows.cuh"
#include "kernels/cuda/tile_launch.cuh"
#include "kernels/launch/sequence_checks.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int merge_threads = 128;

/// Tiles of one warp: decode_rows queries, and fewer keys than a block's tiles have, so that many fit.
template <class Element, int dim_>
struct DecodeShape {
  static constexpr int dim = dim_;
  static constexpr int rows = decode_tile(sizeof(Element) == 2 ? ElementType::bf16 : ElementType::f32);
  static constexpr int warps = dim == 64 ? 4 : dim == 128 ? 2 : 1;  // a block fits the smallest shared memory there is
  static constexpr int stride = dim + 16 / static_cast<int>(sizeof(Element));
  static constexpr int elements = rows * stride;
  static constexpr int score_tiles = rows / 8;
  static constexpr int dim_tiles = dim / 8;
  static constexpr int exchange_stride = rows + 4;
  static constexpr int exchange_floats = sizeof(Element) == 2 ? 0 : decode_rows * exchange_stride;
  static constexpr int warp_bytes = (decode_rows * stride + 4 * elements) * static_cast<int>(sizeof(Element)) +
                                    exchange_floats * static_cast<int>(sizeof(float));
};

struct DecodeCall {
  KvArena arena;
  std::int32_t layer;
  std::int32_t group;
  DecodeUnits units;
  DecodePartials partials;
  float scale_log2;
  ConstView<float, 2> queries, self_key, self_value;
  View<float, 2> out;
  float* lse;
  bool round;
};

template <class Element, int dim>
class DecodeWarp : public SoftmaxRows<DecodeShape<Element, dim>> {
  using Shape = DecodeShape<Element, dim>;
  using Softmax = SoftmaxRows<Shape>;
  using Softmax::scores_;
  using Softmax::sums_;

 public:
  __device__ DecodeWarp(const DecodeCall& call, void* shared)
      : call_(call),
        head_(call.arena, call.layer, 0),
        queries_(static_cast<Element*>(shared)),
        staged_(queries_ + decode_rows * Shape::stride),
        exchange_(reinterpret_cast<float*>(staged_ + 4 * Shape::elements)) {}

  [[nodiscard]] __device__ int stages() const { return 2; }
  __device__ void commit() { __pipeline_commit(); }
  __device__ void arrive() {
    __pipeline_wait_prior(1);
    __syncwarp();
  }
  __device__ void leave() { __syncwarp(); }

  __device__ void start(std::int32_t unit) {
    const std::int32_t kv_head = unit / call_.units.row_tiles;
    const std::int32_t skipped = unit % call_.units.row_tiles * decode_rows;
    rows_ = min(call_.group - skipped, decode_rows);
    head_ = KvHeadPages(call_.arena, call_.layer, kv_head);
    entries_ = head_.state->entries();
    const float* const first = call_.queries.data + (kv_head * call_.group + skipped) * call_.queries.strides[0];
    // Rows that no query head has keep what they had: rows do not touch each other, and nobody reads theirs.
#pragma unroll 4
    for (int index = own_lane(); index < rows_ * dim; index += 32) {
      const int row = index / dim;
      const int d = index % dim;
      const bool there = d < call_.arena.head_dim;
      queries_[row * Shape::stride + d] = Element(there ? first[row * call_.queries.strides[0] + d] : 0.0F);
    }
    __syncwarp();
    Softmax::begin_softmax();
  }

  __device__ void fetch(std::int32_t tile, int stage) {
    Element* const keys = staged_ + 2 * stage * Shape::elements;
    fetch_entry_rows<Shape, Shape::rows>(head_, tile * Shape::rows, entries_, keys, keys + Shape::elements);
  }

  __device__ void score(int stage) {
    rows_product<Shape>(scores_, queries_, staged_ + 2 * stage * Shape::elements, exchange_);
  }
  template <class F>
  __device__ void each_score(const F& f) {
#pragma unroll
    for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) f(fragment_row(i / 2), fragment_column(tile, i % 2), scores_[tile][i]);
    }
  }
  __device__ void add_values(int stage) {
    columns_product<Shape>(sums_, scores_, staged_ + (2 * stage + 1) * Shape::elements, exchange_);
  }

  __device__ void finish(std::int32_t partial) {
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      const float total = Softmax::total_of(slot);
      const int row = fragment_row(slot);
      if (row >= rows_) continue;
      const std::int64_t at = static_cast<std::int64_t>(partial) * call_.partials.rows + row;
      Softmax::write_sums(call_.partials.sums + at * dim, dim, slot, 1.0F);
      if (own_lane() % 4 == 0) {
        call_.partials.largest[at] = Softmax::largest_[slot];
        call_.partials.total[at] = total;
      }
    }
  }

 private:
  const DecodeCall& call_;
  KvHeadPages head_;
  Element* queries_;
  Element* staged_;  // per stage keys, then values
  float* exchange_;
  std::int32_t rows_ = 0;
  std::int32_t entries_ = 0;
};

template <class Element, int dim>
__global__ void __launch_bounds__(DecodeShape<Element, dim>::warps * 32)
    decode_kernel(__grid_constant__ const DecodeCall call) {
  void* const shared = shared_memory();
  wait_for_earlier();
  const auto own = static_cast<int>(threadIdx.x / 32);
  DecodeWarp<Element, dim> warp(call, static_cast<std::byte*>(shared) + own * DecodeShape<Element, dim>::warp_bytes);
  // Few shares spread over all multiprocessors before two of them meet on one.
  decode_share(warp, call.units, static_cast<std::int32_t>(own * gridDim.x + blockIdx.x), call.scale_log2);
}

__global__ void __launch_bounds__(merge_threads) merge_kernel(__grid_constant__ const DecodeCall call) {
  wait_for_earlier();
  const auto head = static_cast<std::int32_t>(blockIdx.x);
  const std::int32_t kv_head = head / call.group;
  const DecodeRow row{call.queries.data + head * call.queries.strides[0],
                      call.self_key.data + kv_head * call.self_key.strides[0],
                      call.self_value.data + kv_head * call.self_value.strides[0],
                      call.out.data + head * call.out.strides[0],
                      call.lse + head,
                      call.arena.head_dim,
                      call.round};
  merge_decode(BlockTeam(), call.units, call.partials, kv_head, head % call.group, row, call.scale_log2);
}

/// The blocks that divide the work between them.
template <class Element, int dim>
Status decode_blocks(int& blocks) {
  using Shape = DecodeShape<Element, dim>;
  std::int64_t resident = 0;
  if (const Status status =
          resident_blocks(decode_kernel<Element, dim>, Shape::warps * 32, Shape::warps * Shape::warp_bytes, resident);
      !status.ok()) {
    return status;
  }
  if (resident < 1) return {StatusCode::unsupported_shape, "head_dim: more than this GPU's shared memory takes"};
  blocks = static_cast<int>(resident);
  return {};
}

DecodeUnits units_of(const DeviceKvCache& cache, LayerId layer, std::int64_t heads, int workers) {
  const KvArena& arena = cache.arena();
  const std::int64_t group = heads / arena.kv_heads;
  const auto row_tiles = static_cast<std::int32_t>((group + decode_rows - 1) / decode_rows);
  return {arena.heads + static_cast<std::int64_t>(layer.value) * arena.kv_heads, arena.kv_heads * row_tiles, row_tiles,
          decode_tile(arena.dtype), workers};
}

}  // namespace

std::int64_t attention_decode_scratch_bytes(std::int64_t heads, const DeviceKvCache& cache) {
  const KvArena& arena = cache.arena();
  const int dim = tile_dim(arena.head_dim);
  std::int64_t bytes = 0;
  const Status status = with_shape(arena.dtype, dim, [&](auto element, auto tile_columns) -> Status {
    using Shape = DecodeShape<decltype(element), tile_columns()>;
    int blocks = 0;
    if (const Status found = decode_blocks<decltype(element), tile_columns()>(blocks); !found.ok()) return found;
    const DecodeUnits units = units_of(cache, LayerId(0), heads, blocks * Shape::warps);
    bytes = DecodePartials(units, heads / arena.kv_heads, dim, nullptr).used_bytes;
    return {};
  });
  return status.ok() ? bytes : 0;
}

Status attention_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key, ConstView<float, 2> self_value,
                        const DeviceKvCache& cache, LayerId layer, View<float, 2> out, std::span<float> lse,
                        std::span<float> self_scores, void* scratch, std::int64_t scratch_bytes, Stream stream,
                        bool round) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t head_dim = queries.size(1);
  if (const Status status =
          launch::check_decode(queries, self_key, self_value, cache.shape(), layer, out, lse, self_scores);
      !status.ok()) {
    return status;
  }
  if (!self_scores.empty()) return {StatusCode::backend_unavailable, "H2O's scores are kept by the CPU's cache only"};
  const KvArena& arena = cache.arena();
  const int dim = tile_dim(head_dim);
  return with_shape(arena.dtype, dim, [&](auto element, auto tile_columns) -> Status {
    using Element = decltype(element);
    using Shape = DecodeShape<Element, tile_columns()>;
    int blocks = 0;
    if (const Status status = decode_blocks<Element, tile_columns()>(blocks); !status.ok()) return status;
    const DecodeUnits units = units_of(cache, layer, heads, blocks * Shape::warps);
    const std::int64_t group = heads / arena.kv_heads;
    const DecodePartials partials(units, group, dim, scratch);
    if (scratch_bytes < partials.used_bytes) return {StatusCode::shape_mismatch, "scratch: too small"};
    const DecodeCall call{
        arena,   layer.value, static_cast<std::int32_t>(group),
        units,   partials,    static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim))) * log2_e,
        queries, self_key,    self_value,
        out,     lse.data(),  round};
    if (const Status status =
            launch_dependent(decode_kernel<Element, tile_columns()>, static_cast<unsigned>(blocks), Shape::warps * 32,
                             std::size_t{Shape::warps * Shape::warp_bytes}, stream, call);
        !status.ok()) {
      return status;
    }
    return launch_dependent(merge_kernel, static_cast<unsigned>(heads), merge_threads, 0, stream, call);
  });
}

}  // namespace natscope::kernels::cuda
