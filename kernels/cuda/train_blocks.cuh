// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/softmax_rows.cuh"
#include "kernels/cuda/tile_math.cuh"
#include "kernels/cuda/train_loops.h"
#include "kernels/cuda/train_scratch.h"

/// What train_loops.h calls a Block, on the device: a thread block whose warps own 16 rows of a tile each.
namespace natscope::kernels::cuda {

/// What a block reads and writes. Views are the caller's, the rest is packed scratch.
struct TrainCall {
  TrainScratch scratch;
  std::int64_t length;
  std::int64_t head_dim;
  std::int32_t heads;
  std::int32_t kv_heads;
  std::int32_t stages;  ///< buffers for tiles on their way: 2, or 1 where shared memory is short
  float scale;          ///< 1 / √head_dim
  bool with_roles;
  View<float, 4> out, dq, dk, dv;
  View<float, 3> lse;
};

/// Shared memory of one of the Blocks below: tiles that stay, tiles of each stage, and numbers beside a stage's rows
/// where it has some. Not a byte more: three bf16 tiles of 256 columns are all of the 99 KiB that GPUs of RTX cards
/// have.
template <class Block, class Element>
[[nodiscard]] constexpr std::int64_t train_shared_bytes(int stages) {
  using Shape = typename Block::Shape;
  return (Block::fixed_tiles + Block::staged_tiles * stages) * Shape::elements *
             static_cast<std::int64_t>(sizeof(Element)) +
         (Shape::warps * Shape::exchange_floats + Block::staged_numbers * stages * Shape::rows) *
             static_cast<std::int64_t>(sizeof(float));
}

/// Hands out shared memory, tile by tile.
template <class Shape, class Element>
struct SharedTiles {
  Element* next;
  __device__ explicit SharedTiles(void* base) : next(static_cast<Element*>(base)) {}
  __device__ Element* take(int count) {
    Element* const first = next;
    next += count * Shape::elements;
    return first;
  }
};

/// Waiting, as every Block of the device does it.
template <class Shape>
class StagedBlock {
 public:
  __device__ explicit StagedBlock(int stages) : stages_(stages) {}
  [[nodiscard]] __device__ int stages() const { return stages_; }
  __device__ void commit() { __pipeline_commit(); }
  __device__ void arrive() {
    if (stages_ == 2) {
      __pipeline_wait_prior(1);
    } else {
      __pipeline_wait_prior(0);
    }
#if NATSCOPE_HAS_WARPGROUPS
    if constexpr (by_warpgroup<Shape>) show_to_tensor_cores();
#endif
    __syncthreads();
  }
  __device__ void leave() { __syncthreads(); }

 private:
  int stages_;
};

/// Rows are queries of one head, columns places of keys: forward, and dq where `gradient`.
template <class Element, int dim, bool gradient>
class QueryBlock : public StagedBlock<TileShape<Element, dim>>, public SoftmaxRows<TileShape<Element, dim>> {
  using Softmax = SoftmaxRows<TileShape<Element, dim>>;
  using Softmax::scores_;
  using Softmax::sums_;

 public:
  using Shape = TileShape<Element, dim>;
  using Rows = RowsProduct<Shape, Element>;
  using Columns = ColumnsProduct<Shape, Element>;
  static constexpr int fixed_tiles = gradient ? 2 : 1;
  static constexpr int staged_tiles = 2;
  static constexpr int staged_numbers = 0;  ///< of a row

  __device__ QueryBlock(const TrainCall& call, int batch, int head, void* shared)
      : StagedBlock<Shape>(call.stages),
        call_(call),
        batch_(batch),
        head_(head),
        warp_(static_cast<int>(threadIdx.x) / 32) {
    SharedTiles<Shape, Element> tiles(shared);
    queries_ = tiles.take(1);
    if (gradient) d_out_ = tiles.take(1);
    staged_ = tiles.take(2 * call.stages);
    exchange_ = reinterpret_cast<float*>(tiles.next) + warp_ * Shape::exchange_floats;
    const std::int64_t padded = (call.length + Shape::rows - 1) / Shape::rows * Shape::rows;
    const std::int64_t unit = static_cast<std::int64_t>(batch) * call.kv_heads + head / (call.heads / call.kv_heads);
    query_row_ = (static_cast<std::int64_t>(batch) * call.heads + head) * padded;
    key_row_ = unit * train_places(call.length, Shape::rows);
    Softmax::begin_softmax();
  }

  __device__ void fetch_queries(std::int32_t query_block) {
    const std::int64_t row = query_row_ + static_cast<std::int64_t>(query_block) * Shape::rows;
    fetch_tile_rows<Shape>(queries_, static_cast<const Element*>(call_.scratch.queries) + row * dim);
    if constexpr (gradient) {
      fetch_tile_rows<Shape>(d_out_, static_cast<const Element*>(call_.scratch.d_out) + row * dim);
      for (int slot = 0; slot < 2; ++slot) {
        lse_log2_[slot] = call_.scratch.lse_log2[row + warp_ * 16 + fragment_row(slot)];
        delta_[slot] = call_.scratch.delta[row + warp_ * 16 + fragment_row(slot)];
      }
    }
  }
  __device__ void fetch_keys(std::int32_t tile, int stage) {
    const std::int64_t row = key_row_ + static_cast<std::int64_t>(tile) * Shape::rows;
    fetch_tile_rows<Shape>(keys(stage), static_cast<const Element*>(call_.scratch.keys) + row * dim);
    fetch_tile_rows<Shape>(values(stage), static_cast<const Element*>(call_.scratch.values) + row * dim);
  }

  __device__ void score(int stage) { multiply_rows_of_block(warp_, exchange_, Rows{scores_, queries_, keys(stage)}); }
  __device__ void score_pairs(int stage) {
    multiply_rows_of_block(warp_, exchange_, Rows{scores_, queries_, keys(stage)}, Rows{dp_, d_out_, values(stage)});
  }

  template <class F>
  __device__ void each_score(const F& f) {
#pragma unroll
    for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) f(warp_ * 16 + fragment_row(i / 2), fragment_column(tile, i % 2), scores_[tile][i]);
    }
  }
  template <class F>
  __device__ void each_pair(const F& f) {
#pragma unroll
    for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        f(warp_ * 16 + fragment_row(i / 2), fragment_column(tile, i % 2), scores_[tile][i], dp_[tile][i]);
      }
    }
  }
  // A thread has two rows only: which of them a row is shows in bit 3.
  [[nodiscard]] __device__ float lse_log2(std::int32_t row) const {
    return (row & 8) != 0 ? lse_log2_[1] : lse_log2_[0];
  }
  [[nodiscard]] __device__ float delta(std::int32_t row) const { return (row & 8) != 0 ? delta_[1] : delta_[0]; }

  __device__ void add_values(int stage) { add_columns_of_block(exchange_, Columns{sums_, scores_, values(stage)}); }
  __device__ void add_query_gradient(int stage) { add_columns_of_block(exchange_, Columns{sums_, dp_, keys(stage)}); }

  __device__ void write_output(std::int32_t query_block, float scale_log2) {
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      const float total = Softmax::total_of(slot);
      const std::int64_t m = static_cast<std::int64_t>(query_block) * Shape::rows + warp_ * 16 + fragment_row(slot);
      if (m >= call_.length) continue;
      write_row(call_.out, m, slot, 1.0F / total);
      if (threadIdx.x % 4 == 0) call_.lse(batch_, head_, m) = Softmax::lse_of(slot, total, scale_log2);
    }
  }
  __device__ void write_query_gradient(std::int32_t query_block) {
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      const std::int64_t m = static_cast<std::int64_t>(query_block) * Shape::rows + warp_ * 16 + fragment_row(slot);
      if (m < call_.length) write_row(call_.dq, m, slot, call_.scale);
    }
  }

 protected:
  // Computed, not looked up: an array that is indexed by a number known at run time would drag the whole block into memory.
  [[nodiscard]] __device__ Element* keys(int stage) const { return staged_ + 2 * stage * Shape::elements; }
  [[nodiscard]] __device__ Element* values(int stage) const { return keys(stage) + Shape::elements; }

 private:
  __device__ void write_row(const View<float, 4>& to, std::int64_t m, int slot, float factor) const {
    float* const row = to.data + batch_ * to.strides[0] + head_ * to.strides[1] + m * to.strides[2];
    Softmax::write_sums(row, static_cast<int>(call_.head_dim), slot, factor);
  }

  const TrainCall& call_;
  int batch_, head_, warp_;
  std::int64_t query_row_, key_row_;
  Element* queries_;
  Element* d_out_ = nullptr;
  Element* staged_;  // per stage keys, then values
  float* exchange_;
  Fragment dp_[Shape::score_tiles];
  float lse_log2_[2], delta_[2];
};

/// Rows are places of keys, columns queries of one head of the group after the other: dk, dv and role sums.
template <class Element, int dim>
class KeyBlock : public StagedBlock<TileShape<Element, dim>> {
 public:
  using Shape = TileShape<Element, dim>;
  using Rows = RowsProduct<Shape, Element>;
  using Columns = ColumnsProduct<Shape, Element>;
  static constexpr int fixed_tiles = 2;
  static constexpr int staged_tiles = 2;
  static constexpr int staged_numbers = 2;  ///< of a row: its log-sum-exp, its Δ

  __device__ KeyBlock(const TrainCall& call, int batch, int kv_head, void* shared)
      : StagedBlock<Shape>(call.stages),
        call_(call),
        batch_(batch),
        kv_head_(kv_head),
        warp_(static_cast<int>(threadIdx.x) / 32) {
    SharedTiles<Shape, Element> tiles(shared);
    keys_ = tiles.take(1);
    values_ = tiles.take(1);
    staged_ = tiles.take(2 * call.stages);
    auto* const floats = reinterpret_cast<float*>(tiles.next);
    exchange_ = floats + warp_ * Shape::exchange_floats;
    rows_ = floats + Shape::warps * Shape::exchange_floats;
    padded_ = (call.length + Shape::rows - 1) / Shape::rows * Shape::rows;
    const std::int64_t unit = static_cast<std::int64_t>(batch) * call.kv_heads + kv_head;
    key_row_ = unit * train_places(call.length, Shape::rows);
    query_row_ = (static_cast<std::int64_t>(batch) * call.heads + kv_head * (call.heads / call.kv_heads)) * padded_;
    clear(dk_);
    clear(dv_);
  }

  __device__ void fetch_tile(std::int32_t tile) {
    const std::int64_t row = key_row_ + static_cast<std::int64_t>(tile) * Shape::rows;
    fetch_tile_rows<Shape>(keys_, static_cast<const Element*>(call_.scratch.keys) + row * dim);
    fetch_tile_rows<Shape>(values_, static_cast<const Element*>(call_.scratch.values) + row * dim);
  }
  __device__ void fetch_rows(std::int32_t head, std::int32_t query_block, int stage) {
    const std::int64_t row = query_row_ + head * padded_ + static_cast<std::int64_t>(query_block) * Shape::rows;
    fetch_tile_rows<Shape>(queries(stage), static_cast<const Element*>(call_.scratch.queries) + row * dim);
    fetch_tile_rows<Shape>(d_out(stage), static_cast<const Element*>(call_.scratch.d_out) + row * dim);
    const int at = static_cast<int>(threadIdx.x) * 4;
    if (at < Shape::rows) {
      __pipeline_memcpy_async(lse(stage) + at, call_.scratch.lse_log2 + row + at, 16);
      __pipeline_memcpy_async(lse(stage) + Shape::rows + at, call_.scratch.delta + row + at, 16);
    }
  }

  __device__ void score_pairs(int stage) {
    multiply_rows_of_block(warp_, exchange_, Rows{scores_, keys_, queries(stage)}, Rows{dp_, values_, d_out(stage)});
  }
  template <class F>
  __device__ void each_pair(const F& f) {
#pragma unroll
    for (int tile = 0; tile < Shape::score_tiles; ++tile) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        f(warp_ * 16 + fragment_row(i / 2), fragment_column(tile, i % 2), scores_[tile][i], dp_[tile][i]);
      }
    }
  }
  template <class F>
  __device__ void each_row(const F& f) {
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      f(warp_ * 16 + fragment_row(slot), role_sums_[slot], [&](const auto& of_column) {
#pragma unroll
        for (int tile = 0; tile < Shape::score_tiles; ++tile) {
          of_column(fragment_column(tile, 0), dp_[tile][2 * slot]);
          of_column(fragment_column(tile, 1), dp_[tile][2 * slot + 1]);
        }
      });
    }
  }
  [[nodiscard]] __device__ float lse_log2(std::int32_t column, int stage) const { return lse(stage)[column]; }
  [[nodiscard]] __device__ float delta(std::int32_t column, int stage) const {
    return lse(stage)[Shape::rows + column];
  }
  __device__ void add_gradients(int stage) {
    add_columns_of_block(exchange_, Columns{dv_, scores_, d_out(stage)}, Columns{dk_, dp_, queries(stage)});
  }

  __device__ void write_key_gradients(std::int32_t tile, bool with_roles) {
#pragma unroll
    for (int slot = 0; slot < 2; ++slot) {
      const std::int64_t place =
          key_row_ + static_cast<std::int64_t>(tile) * Shape::rows + warp_ * 16 + fragment_row(slot);
      const float sums[4] = {row_sum(role_sums_[slot].total), row_sum(role_sums_[slot].to_next),
                             row_sum(role_sums_[slot].to_window), row_sum(role_sums_[slot].to_second)};
      const std::int32_t n = call_.scratch.by_place[0][place];
      if (n == no_position) continue;
      if (with_roles && threadIdx.x % 4 == 0) {
        for (int which = 0; which < 4; ++which) call_.scratch.sums[which][place] = sums[which];
      }
      write_row(call_.dk, n, dk_, slot, call_.scale);
      write_row(call_.dv, n, dv_, slot, 1.0F);
    }
  }

 private:
  [[nodiscard]] __device__ Element* queries(int stage) const { return staged_ + 2 * stage * Shape::elements; }
  [[nodiscard]] __device__ Element* d_out(int stage) const { return queries(stage) + Shape::elements; }
  [[nodiscard]] __device__ float* lse(int stage) const { return rows_ + 2 * stage * Shape::rows; }

  __device__ void write_row(const View<float, 4>& to, std::int64_t n, const Fragment (&sums)[Shape::dim_tiles],
                            int slot, float factor) const {
    float* const row = to.data + batch_ * to.strides[0] + kv_head_ * to.strides[1] + n * to.strides[2];
#pragma unroll
    for (int part = 0; part < Shape::dim_tiles; ++part) {
#pragma unroll
      for (int which = 0; which < 2; ++which) {
        const int d = fragment_column(part, which);
        if (d < call_.head_dim) row[d] = sums[part][2 * slot + which] * factor;
      }
    }
  }

  const TrainCall& call_;
  int batch_, kv_head_, warp_;
  std::int64_t padded_, query_row_, key_row_;
  Element* keys_;
  Element* values_;
  Element* staged_;  // per stage queries, then dO
  float* exchange_;
  float* rows_;  // per stage log-sum-exp, then Δ
  Fragment dk_[Shape::dim_tiles];
  Fragment dv_[Shape::dim_tiles];
  Fragment scores_[Shape::score_tiles];
  Fragment dp_[Shape::score_tiles];
  KeyRoleSums role_sums_[2];
};

}  // namespace natscope::kernels::cuda
