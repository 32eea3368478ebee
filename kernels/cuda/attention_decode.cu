// SPDX-License-Identifier: GPL-3.0-or-later
// Decode: warps that know nothing of each other, each with its share of all heads' keys, its own tiles in shared memory
// and two of them on their way; then one block a query head puts together what they found. Reading is all that counts here: up to 16
// query heads share a tile, so tensor cores have little to do and a byte comes once.
#include "kernels/cuda/attention_decode.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "kernels/cuda/block_team.cuh"
#include "kernels/cuda/decode_loops.h"
#include "kernels/cuda/entry_rows.cuh"
#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/softmax_rows.cuh"
#include "kernels/cuda/tile_launch.cuh"
#include "kernels/launch/sequence_checks.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int merge_threads = 1024;  // at most
constexpr int score_threads = 256;

/// Tiles of one warp: decode_rows queries, and fewer keys than a block's tiles have, so that many fit.
template <class Element, int dim_>
struct DecodeShape {
  static constexpr int dim = dim_;
  static constexpr int rows = decode_tile(sizeof(Element) == 2 ? ElementType::bf16 : ElementType::f32);
  static constexpr int warps = 1;  // of a block: as many fit as shared memory is for
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
  DecodeScores scores;
  float scale_log2;
  ConstView<float, 2> queries, self_key, self_value;
  View<float, 2> out;
  float* lse;
  bool round;
  float* self_scores;
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
    first_query_ = kv_head * call_.group + skipped;
    Softmax::begin_softmax();
  }

  __device__ void fetch_queries() {
    const float* const first = call_.queries.data + first_query_ * call_.queries.strides[0];
    // Rows that no query head has keep what they had: rows do not touch each other, and nobody reads theirs.
#pragma unroll 4
    for (int index = own_lane(); index < rows_ * dim; index += 32) {
      const int row = index / dim;
      const int d = index % dim;
      const bool there = d < call_.arena.head_dim;
      queries_[row * Shape::stride + d] = Element(there ? first[row * call_.queries.strides[0] + d] : 0.0F);
    }
    __syncwarp();
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
  std::int32_t first_query_ = 0;
  std::int32_t rows_ = 0;
  std::int32_t entries_ = 0;
};

template <class Element, int dim, bool keeps>
__global__ void __launch_bounds__(DecodeShape<Element, dim>::warps * 32, 8)
    decode_kernel(__grid_constant__ const DecodeCall call) {
  void* const shared = shared_memory();
  wait_for_earlier();
  const auto own = static_cast<int>(threadIdx.x / 32);
  DecodeWarp<Element, dim> warp(call, static_cast<std::byte*>(shared) + own * DecodeShape<Element, dim>::warp_bytes);
  // Few shares spread over all multiprocessors before two of them meet on one.
  decode_share<keeps>(warp, WarpLanes(), call.units, call.scores,
                      static_cast<std::int32_t>(own * gridDim.x + blockIdx.x), call.scale_log2);
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
                      call.round,
                      call.scores.raw == nullptr ? nullptr : call.scores.softmax + head};
  merge_decode(AloneTeam(), WarpLanes(), call.units, call.partials, kv_head, head % call.group, row, call.scale_log2);
}

/// A thread an entry that a head could hold; the first one of a head also says what the new token put on itself.
__global__ void __launch_bounds__(score_threads) score_kernel(__grid_constant__ const DecodeCall call) {
  wait_for_earlier();
  const auto kv_head = static_cast<std::int32_t>(blockIdx.y);
  const KvHeadPages head(call.arena, call.layer, kv_head);
  const auto slot = static_cast<std::int32_t>(blockIdx.x * score_threads + threadIdx.x);
  if (slot < head.state->entries()) call.scores.add_to(head, kv_head, slot, call.scale_log2);
  if (slot == 0) call.self_scores[kv_head] = call.scores.of_token(kv_head);
}

/// The blocks that divide the work between them.
template <class Element, int dim, bool keeps>
Status decode_blocks(int& blocks) {
  using Shape = DecodeShape<Element, dim>;
  std::int64_t resident = 0;
  if (const Status status = resident_blocks(decode_kernel<Element, dim, keeps>, Shape::warps * 32,
                                            Shape::warps * Shape::warp_bytes, resident);
      !status.ok()) {
    return status;
  }
  if (resident < 1) return too_little_shared_memory;
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

/// f(Element, dim, keeps) for what a cache holds; `keeps`: entries' scores grow.
template <class F>
Status with_decode(const DeviceKvCache& cache, bool keeps_scores, const F& f) {
  const KvArena& arena = cache.arena();
  return with_shape(arena.dtype, tile_dim(arena.head_dim), [&](auto element, auto dim) -> Status {
    return keeps_scores ? f(element, dim, std::true_type()) : f(element, dim, std::false_type());
  });
}

/// How a decode of `heads` query heads is divided, and what lies where in its scratch; without a base it only counts.
struct DecodePlan {
  int blocks = 0;
  DecodeUnits units;
  DecodePartials partials;
  DecodeScores scores;

  DecodePlan(const DeviceKvCache& cache, LayerId layer, std::int64_t heads, int blocks_at_once, int warps, int dim,
             bool keeps, void* base)
      : blocks(blocks_at_once),
        units(units_of(cache, layer, heads, blocks_at_once * warps)),
        partials(units, heads / cache.arena().kv_heads, dim, base),
        scores(heads, cache.arena().kv_heads, keeps ? cache.arena().most_scored : 0,
               base == nullptr ? nullptr : static_cast<std::byte*>(base) + partials.used_bytes) {}
  [[nodiscard]] std::int64_t used_bytes() const { return partials.used_bytes + scores.used_bytes; }
};

template <class Element, int dim, bool keeps>
Status plan_decode(const DeviceKvCache& cache, LayerId layer, std::int64_t heads, void* base,
                   std::optional<DecodePlan>& plan) {
  int blocks = 0;
  if (const Status status = decode_blocks<Element, dim, keeps>(blocks); !status.ok()) return status;
  plan.emplace(cache, layer, heads, blocks, DecodeShape<Element, dim>::warps, dim, keeps, base);
  return {};
}

}  // namespace

std::int64_t attention_decode_scratch_bytes(std::int64_t heads, const DeviceKvCache& cache) {
  const auto bytes = [&](bool keeps_scores) -> std::int64_t {
    std::optional<DecodePlan> plan;
    const Status status = with_decode(cache, keeps_scores, [&](auto element, auto dim, auto keeps) -> Status {
      return plan_decode<decltype(element), dim(), keeps()>(cache, LayerId(0), heads, nullptr, plan);
    });
    return status.ok() ? plan->used_bytes() : 0;
  };
  if (!cache.keeps_scores()) return bytes(false);
  return cache.takes_one_by_one() ? bytes(true) : std::max(bytes(true), bytes(false));
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
  const bool keeps_scores = !self_scores.empty();
  if (keeps_scores ? !cache.keeps_scores() : cache.takes_one_by_one())
    return {StatusCode::shape_mismatch, "self_scores: where the cache keeps scores, and only there"};
  const KvArena& arena = cache.arena();
  return with_decode(cache, keeps_scores, [&](auto element, auto dim, auto keeps) -> Status {
    using Element = decltype(element);
    using Shape = DecodeShape<Element, dim()>;
    std::optional<DecodePlan> plan;
    if (const Status status = plan_decode<Element, dim(), keeps()>(cache, layer, heads, scratch, plan); !status.ok())
      return status;
    if (scratch_bytes < plan->used_bytes()) return {StatusCode::shape_mismatch, "scratch: too small"};
    const DecodeCall call{.arena = arena,
                          .layer = layer.value,
                          .group = static_cast<std::int32_t>(heads / arena.kv_heads),
                          .units = plan->units,
                          .partials = plan->partials,
                          .scores = plan->scores,
                          .scale_log2 = static_cast<float>(1 / std::sqrt(static_cast<double>(head_dim))) * log2_e,
                          .queries = queries,
                          .self_key = self_key,
                          .self_value = self_value,
                          .out = out,
                          .lse = lse.data(),
                          .round = round,
                          .self_scores = self_scores.data()};
    if (const Status status =
            launch_dependent(decode_kernel<Element, dim(), keeps()>, static_cast<unsigned>(plan->blocks),
                             Shape::warps * 32, std::size_t{Shape::warps * Shape::warp_bytes}, stream, call);
        !status.ok()) {
      return status;
    }
    const auto merging = std::min<std::int64_t>((head_dim * merge_slices + 31) / 32 * 32, merge_threads);
    if (const Status status = launch_dependent(merge_kernel, static_cast<unsigned>(heads),
                                               static_cast<unsigned>(merging), 0, stream, call);
        !status.ok() || !keeps_scores) {
      return status;
    }
    const dim3 grid(blocks_for(arena.most_scored, score_threads), static_cast<unsigned>(arena.kv_heads));
    return launch_dependent(score_kernel, grid, score_threads, 0, stream, call);
  });
}

}  // namespace natscope::kernels::cuda
