// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cpu/attention_train_scratch.h"
#include "kernels/cpu/tiles.h"

/// The training attention of bf16 products in tiles. Same blocks and same [key, query] scores as the Highway version.
namespace natscope::kernels::cpu {

/// head_dim padded to whole tiles, in which products run over it.
constexpr std::int64_t tile_dim(const TrainShape& shape) { return round_up(shape.head_dim, 32); }

struct TileForwardScratch {
  TileForwardScratch(const TrainShape& shape, Carver& carver);

  KeyOrder order;
  Bf16Bits* keys;           ///< [padded_length, tile_dim], by place
  Bf16Bits* value_columns;  ///< for each block [tile_dim, train_block]
  Bf16Bits* rows;           ///< [train_block, tile_dim] on their way to another layout
  Bf16Bits* pairs;          ///< [tile_dim / 2, train_block, 2] queries of one block, two dimensions side by side
  Bf16Bits* weights;        ///< [train_block / 2, train_block, 2] weights of one block, two keys side by side
  float* scores;            ///< [key, query] of one block
  float* sums;              ///< [tile_dim, train_block] weighted values so far
  float* largest;           ///< [train_block] running maximum of a query's scores
  float* total;             ///< [train_block] sum of its weights
  float* shrink;            ///< [train_block] by how much the earlier weights shrink
  float* result;            ///< [train_block, tile_dim] one block of rows for the caller
};

struct TileBackwardScratch {
  TileBackwardScratch(const TrainShape& shape, Carver& carver);

  KeyOrder order;
  Bf16Bits *keys, *values;              ///< [padded_length, tile_dim], by place
  Bf16Bits* key_columns;                ///< for each block [tile_dim, train_block]
  float *dk, *dv;                       ///< [padded_length, tile_dim], by place
  Bf16Bits *query_pairs, *d_out_pairs;  ///< for each block [tile_dim / 2, train_block, 2]: two dimensions side by side
  Bf16Bits *query_rows, *d_out_rows;    ///< for each block [train_block / 2, tile_dim, 2]: two queries side by side
  float* dq_columns;                    ///< for each block [tile_dim, train_block]
  float *lse_log2, *delta;              ///< [padded_length]
  Bf16Bits* rows;                       ///< [train_block, tile_dim] on their way to another layout
  float *scores, *dp;                   ///< [key, query] of half a block of keys
  Bf16Bits *weights, *d_scores;         ///< [key, query] of one block
  Bf16Bits* d_score_pairs;              ///< [key / 2, query, 2] of one block
  float* result;                        ///< [train_block, tile_dim] one block of rows for the caller
  float* row;                           ///< [2, train_block] dM of two keys
  float* running;                       ///< [key, lane] sum of dM so far, over the blocks of queries
  RoleSums sums;
};

void tile_forward_kv_head(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head,
                          const TileForwardScratch& at, const View<float, 4>& out, const View<float, 3>& lse);
void tile_backward_kv_head(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients,
                           std::int64_t batch, std::int64_t kv_head, const TileBackwardScratch& at);

}  // namespace natscope::kernels::cpu
