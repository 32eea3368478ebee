// SPDX-License-Identifier: GPL-3.0-or-later
// Squares of 64 × 64 pairs of a head's map, 4 × 4 a thread in multiply-adds of f32: what is drawn has to be the weight, and a tile of
// cells is small work. Squares that no query sees are passed over.
#include "kernels/cuda/attention_map.h"

#include "kernels/cuda/kernel_launch.cuh"
#include "kernels/cuda/map_loops.h"
#include "kernels/element_type.h"
#include "kernels/launch/map_checks.h"

namespace natscope::kernels::cuda {

namespace {

constexpr int map_threads = 256;
constexpr int depth = 16;             // dimensions in shared memory at a time
constexpr int padded = map_side + 4;  // rows of 16-byte pieces, and columns in different banks

struct alignas(16) MapShared {
  float queries[depth][padded];
  float keys[depth][padded];
  float log_weights[map_side][map_side + 1];
  // CellSums of every thread, in pieces: a structure would want to be constructed.
  float largest[map_threads];
  double sums[map_threads];
  long long seen[map_threads];
};

__device__ inline float as_float(float number) { return number; }
__device__ inline float as_float(Bf16 number) { return __uint_as_float(static_cast<unsigned>(number.bits) << 16U); }

template <class QueryElement, class KeyElement>
class MapBlock {
 public:
  __device__ MapBlock(const MapArrays& map, MapShared& shared)
      : map_(map),
        shared_(shared),
        scale_(1.0F / sqrtf(static_cast<float>(map.head_dim))),
        thread_(static_cast<int>(threadIdx.x)) {
#pragma unroll
    for (int own = 0; own < 4; ++own)
      entropy_[own] = sink_weight_[own] = self_weight_[own] = distance_[own] = lost_[own] = 0.0F;
  }

  /// Of the queries from m on and the keys from n on.
  __device__ bool any_seen(std::int64_t m, std::int64_t n) const {
    const std::int64_t key = n + thread_;
    const bool seen =
        thread_ < map_side && key < map_.tokens && key < m + map_side && at_least(map_.last_query[key], key) >= m;
    return __syncthreads_or(seen ? 1 : 0) != 0;
  }

  __device__ void weigh(std::int64_t m, std::int64_t n) {
    for (auto& row : sums_) {
      for (float& sum : row) sum = 0;
    }
    for (int d = 0; d < map_.head_dim; d += depth) {
      __syncthreads();
      for (int index = thread_; index < depth * map_side; index += map_threads) {
        const int row = index / depth;
        const int column = index % depth;
        const bool inside = d + column < map_.head_dim;
        const auto read = [&](const auto* rows, std::int64_t position, std::int64_t stride) {
          return inside && position < map_.tokens ? as_float(rows[position * stride + d + column]) : 0.0F;
        };
        shared_.queries[column][row] = read(static_cast<const QueryElement*>(map_.queries), m + row, map_.query_stride);
        shared_.keys[column][row] = read(static_cast<const KeyElement*>(map_.keys), n + row, map_.key_stride);
      }
      __syncthreads();
#pragma unroll
      for (int column = 0; column < depth; ++column) {
        const float4 q = *reinterpret_cast<const float4*>(&shared_.queries[column][thread_ / 16 * 4]);
        const float4 k = *reinterpret_cast<const float4*>(&shared_.keys[column][thread_ % 16 * 4]);
        const float left[4] = {q.x, q.y, q.z, q.w};
        const float right[4] = {k.x, k.y, k.z, k.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
          for (int j = 0; j < 4; ++j) sums_[i][j] = fmaf(left[i], right[j], sums_[i][j]);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const std::int64_t row = m + thread_ / 16 * 4 + i;
      const float lse = row < map_.tokens ? map_.lse[row] : 0.0F;
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        sums_[i][j] = sums_[i][j] * scale_ - lse;
        shared_.log_weights[thread_ / 16 * 4 + i][thread_ % 16 * 4 + j] = sums_[i][j];
      }
    }
    __syncthreads();
  }
  __device__ void leave() { __syncthreads(); }

  template <class F>
  __device__ void each_weight(const F& f) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) f(thread_ / 16 * 4 + i, thread_ % 16 * 4 + j, sums_[i][j]);
    }
  }
  [[nodiscard]] __device__ float log_weight(std::int32_t i, std::int32_t j) const { return shared_.log_weights[i][j]; }

  template <class F>
  __device__ void each_cell(std::int32_t count, const F& f) const {
    for (std::int32_t index = thread_; index < count; index += map_threads) f(index);
  }
  template <class F>
  __device__ void join(const CellSums& own, const F& f) {
    CellSums sums = own;
    put(thread_, sums);
    for (int half = map_threads / 2; half > 0; half /= 2) {
      __syncthreads();
      if (thread_ < half) {
        sums.join(taken(thread_ + half));
        put(thread_, sums);
      }
    }
    if (thread_ == 0) f(sums);
  }

  __device__ void add_row(std::int32_t i, const RowStatistics& added) {
#pragma unroll
    for (int own = 0; own < 4; ++own) {
      if (own != i % 4) continue;
      entropy_[own] += added.entropy;
      sink_weight_[own] += added.sink_weight;
      self_weight_[own] += added.self_weight;
      distance_[own] += added.distance;
      lost_[own] += added.lost;
    }
  }
  /// The 16 threads that share a row are half a warp.
  template <class F>
  __device__ void each_row(const F& f) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      RowStatistics row{entropy_[i], sink_weight_[i], self_weight_[i], distance_[i], lost_[i]};
      for (int step = 8; step > 0; step /= 2) {
        row.entropy += __shfl_xor_sync(0xffffffffU, row.entropy, step);
        row.sink_weight += __shfl_xor_sync(0xffffffffU, row.sink_weight, step);
        row.self_weight += __shfl_xor_sync(0xffffffffU, row.self_weight, step);
        row.distance += __shfl_xor_sync(0xffffffffU, row.distance, step);
        row.lost += __shfl_xor_sync(0xffffffffU, row.lost, step);
      }
      if (thread_ % 16 == 0) f(thread_ / 16 * 4 + i, row);
    }
  }

 private:
  __device__ void put(int thread, const CellSums& sums) {
    shared_.largest[thread] = sums.largest;
    shared_.sums[thread] = sums.sum;
    shared_.seen[thread] = sums.seen;
  }
  [[nodiscard]] __device__ CellSums taken(int thread) const {
    return {shared_.largest[thread], shared_.sums[thread], shared_.seen[thread]};
  }

  const MapArrays& map_;
  MapShared& shared_;
  float scale_;
  int thread_;
  float sums_[4][4];
  // Of its rows; an array of structures would stand in memory.
  float entropy_[4], sink_weight_[4], self_weight_[4], distance_[4], lost_[4];
};

template <class QueryElement, class KeyElement>
__global__ void __launch_bounds__(map_threads) tile_kernel(MapArrays map, MapCells cells, View<float, 2> maximum,
                                                           View<float, 2> mean, View<float, 2> visible_share) {
  __shared__ MapShared shared;
  MapBlock<QueryElement, KeyElement> block(map, shared);
  map_cells_block(block, map, cells, blockIdx.y, blockIdx.x,
                  [&](std::int64_t row, std::int64_t col, float largest, float average, float share) {
                    maximum.data[row * maximum.strides[0] + col * maximum.strides[1]] = largest;
                    mean.data[row * mean.strides[0] + col * mean.strides[1]] = average;
                    visible_share.data[row * visible_share.strides[0] + col * visible_share.strides[1]] = share;
                  });
}

/// [count], or null where nobody asks.
struct StatisticArrays {
  float* entropy = nullptr;
  float* sink_weight = nullptr;
  float* self_weight = nullptr;
  float* distance = nullptr;
  float* lost = nullptr;
};

template <class QueryElement, class KeyElement>
__global__ void __launch_bounds__(map_threads)
    statistics_kernel(MapArrays map, const std::int32_t* other_last_query, std::int64_t first_query, std::int64_t count,
                      StatisticArrays out) {
  __shared__ MapShared shared;
  MapBlock<QueryElement, KeyElement> block(map, shared);
  const std::int64_t first = first_query + static_cast<std::int64_t>(blockIdx.x) * map_side;
  map_rows_block(block, map, other_last_query, first, at_most(first + map_side, first_query + count),
                 [&](std::int64_t m, const RowStatistics& row) {
                   const std::int64_t at = m - first_query;
                   if (out.entropy != nullptr) out.entropy[at] = row.entropy;
                   if (out.sink_weight != nullptr) out.sink_weight[at] = row.sink_weight;
                   if (out.self_weight != nullptr) out.self_weight[at] = row.self_weight;
                   if (out.distance != nullptr) out.distance[at] = row.distance;
                   if (out.lost != nullptr) out.lost[at] = row.lost;
                 });
}

MapArrays arrays_of(const AttentionMapSource& source) {
  return {source.queries.data,       source.keys.data,
          source.queries.row_stride, source.keys.row_stride,
          source.lse.data(),         source.last_query.data(),
          source.queries.rows,       static_cast<std::int32_t>(source.queries.cols)};
}

/// f(query element, key element) for what the store holds.
template <class F>
Status with_elements(const AttentionMapSource& source, const F& f) {
  const auto with_query = [&](auto query) {
    return source.keys.dtype == ElementType::bf16 ? f(query, Bf16()) : f(query, 0.0F);
  };
  return source.queries.dtype == ElementType::bf16 ? with_query(Bf16()) : with_query(0.0F);
}

}  // namespace

Status attention_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                      View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share, Stream stream) {
  if (const Status status = launch::check_tile(source, first_query, first_key, zoom, maximum, mean, visible_share);
      !status.ok()) {
    return status;
  }
  const MapCells cells{first_query.value, first_key.value, zoom, maximum.size(0), maximum.size(1)};
  if (cells.rows <= 0 || cells.cols <= 0) return {};
  if (cells.row_blocks() > 65535) return {StatusCode::unsupported_shape, "tile: more than 65535 rows of blocks"};
  return with_elements(source, [&](auto query, auto key) {
    const dim3 grid(static_cast<unsigned>(cells.col_blocks()), static_cast<unsigned>(cells.row_blocks()));
    return launch_kernel(tile_kernel<decltype(query), decltype(key)>, grid, map_threads, 0, stream, arrays_of(source),
                         cells, maximum, mean, visible_share);
  });
}

Status row_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out, Stream stream) {
  if (const Status status = launch::check_statistics(source, first_query, other_last_query, out); !status.ok())
    return status;
  const std::int64_t count = out.count();
  if (count == 0) return {};
  const auto array = [](std::span<float> numbers) { return numbers.empty() ? nullptr : numbers.data(); };
  const StatisticArrays arrays{array(out.entropy), array(out.sink_weight), array(out.self_weight), array(out.distance),
                               array(out.lost)};
  return with_elements(source, [&](auto query, auto key) {
    return launch_kernel(statistics_kernel<decltype(query), decltype(key)>, blocks_for(count, map_side), map_threads, 0,
                         stream, arrays_of(source), out.lost.empty() ? nullptr : other_last_query.data(),
                         std::int64_t{first_query.value}, count, arrays);
  });
}

}  // namespace natscope::kernels::cuda
