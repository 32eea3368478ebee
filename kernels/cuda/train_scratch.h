// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/attention_train.h"
#include "kernels/cuda/tile_products.h"
#include "kernels/cuda/train_plan.h"

/// How the training attention divides its scratch: plans of every (batch item, KV head), packed operands, sums.
namespace natscope::kernels::cuda {

/// Sizes of one call. `dim` is head_dim rounded up to what there is code for, 0 where there is none; `tile` the rows of
/// a tile.
struct TrainSizes {
  explicit TrainSizes(const AttentionTrainInputs& inputs)
      : batch(inputs.q.size(0)),
        heads(inputs.q.size(1)),
        kv_heads(inputs.k.size(1)),
        length(inputs.q.size(2)),
        head_dim(inputs.q.size(3)),
        dim(tile_dim(head_dim)),
        tile(inputs.dtype == ElementType::bf16 ? 64 : 32),
        padded_length((length + tile - 1) / tile * tile),
        places(train_places(length, tile)),
        element_bytes(kernels::element_bytes(inputs.dtype)) {}

  [[nodiscard]] std::int64_t group() const { return heads / kv_heads; }
  [[nodiscard]] std::int64_t blocks() const { return padded_length / tile; }

  std::int64_t batch, heads, kv_heads, length, head_dim, dim, tile;
  std::int64_t padded_length;  ///< whole tiles; rows past the end are zero
  std::int64_t places;
  std::int64_t element_bytes;
};

/// Device pointers of one call; kernels take it by value. Arrays of all heads, one head after the other.
struct TrainScratch {
  void* queries = nullptr;              ///< [batch, heads, padded_length, dim] packed
  void* keys = nullptr;                 ///< [batch, kv_heads, places, dim] by place
  void* values = nullptr;               ///< as keys
  void* d_out = nullptr;                ///< as queries; backward only, as is all that follows
  float* lse_log2 = nullptr;            ///< [batch, heads, padded_length] log-sum-exp to base 2
  float* delta = nullptr;               ///< as lse_log2: Σ dO · O
  float* sums[4] = {};                  ///< [batch, kv_heads, places] each: total, to_next, to_window, to_second
  std::int32_t* next_global = nullptr;  ///< [batch, kv_heads, length]
  std::int32_t* by_place[5] = {};       ///< [batch, kv_heads, places] each, in the order of TrainPlan
  PlaceRange* runs = nullptr;           ///< [batch, kv_heads, role_count]
  PlaceRange* ranges = nullptr;         ///< [batch, kv_heads, blocks, role_count]
  std::int64_t used_bytes = 0;

  /// Divides what begins at `base`; without a base it only counts.
  TrainScratch(const TrainSizes& sizes, void* base, bool backward) {
    const auto take = [&](std::int64_t bytes) -> void* {
      void* const piece = base == nullptr ? nullptr : static_cast<char*>(base) + used_bytes;
      used_bytes += (bytes + 255) / 256 * 256;
      return piece;
    };
    const std::int64_t query_rows = sizes.batch * sizes.heads * sizes.padded_length;
    const std::int64_t kv_units = sizes.batch * sizes.kv_heads;
    const std::int64_t key_rows = kv_units * sizes.places;
    const std::int64_t row_bytes = sizes.dim * sizes.element_bytes;
    queries = take(query_rows * row_bytes);
    keys = take(key_rows * row_bytes);
    values = take(key_rows * row_bytes);
    next_global = static_cast<std::int32_t*>(take(kv_units * sizes.length * 4));
    for (std::int32_t*& numbers : by_place) numbers = static_cast<std::int32_t*>(take(key_rows * 4));
    runs = static_cast<PlaceRange*>(take(kv_units * role_count * static_cast<std::int64_t>(sizeof(PlaceRange))));
    ranges = static_cast<PlaceRange*>(
        take(kv_units * sizes.blocks() * role_count * static_cast<std::int64_t>(sizeof(PlaceRange))));
    if (!backward) return;
    d_out = take(query_rows * row_bytes);
    lse_log2 = static_cast<float*>(take(query_rows * 4));
    delta = static_cast<float*>(take(query_rows * 4));
    for (float*& numbers : sums) numbers = static_cast<float*>(take(key_rows * 4));
  }

  /// The plan of the unit-th (batch item, KV head).
  [[nodiscard]] NATSCOPE_HD TrainPlan plan(std::int64_t unit, std::int64_t length, std::int64_t tile) const {
    const std::int64_t first = unit * train_places(length, tile);
    const std::int64_t blocks = (length + tile - 1) / tile;
    return {static_cast<std::int32_t>(length),
            static_cast<std::int32_t>(tile),
            next_global + unit * length,
            by_place[0] + first,
            by_place[1] + first,
            by_place[2] + first,
            by_place[3] + first,
            by_place[4] + first,
            runs + unit * role_count,
            ranges + unit * blocks * role_count};
  }
};

}  // namespace natscope::kernels::cuda
