// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_tiles.h"

namespace natscope::kernels::cpu {

TileForwardScratch::TileForwardScratch(const TrainShape& shape, Carver& carver)
    : order(shape, carver),
      keys(carver.take<Bf16Bits>(shape.padded_length * tile_dim(shape))),
      value_columns(carver.take<Bf16Bits>(shape.padded_length * tile_dim(shape))),
      rows(carver.take<Bf16Bits>(train_block * tile_dim(shape))),
      pairs(carver.take<Bf16Bits>(train_block * tile_dim(shape))),
      weights(carver.take<Bf16Bits>(train_block * train_block)),
      scores(carver.take<float>(train_block * train_block)),
      sums(carver.take<float>(train_block * tile_dim(shape))),
      largest(carver.take<float>(train_block)),
      total(carver.take<float>(train_block)),
      shrink(carver.take<float>(train_block)),
      result(carver.take<float>(train_block * tile_dim(shape))) {}

TileBackwardScratch::TileBackwardScratch(const TrainShape& shape, Carver& carver)
    : order(shape, carver), sums(shape, carver) {
  const std::int64_t numbers = shape.padded_length * tile_dim(shape);
  for (Bf16Bits** const array : {&keys, &values, &key_columns, &query_pairs, &d_out_pairs, &query_rows, &d_out_rows}) {
    *array = carver.take<Bf16Bits>(numbers);
  }
  for (float** const array : {&dk, &dv, &dq_columns}) *array = carver.take<float>(numbers);
  for (float** const array : {&lse_log2, &delta}) *array = carver.take<float>(shape.padded_length);
  for (Bf16Bits** const array : {&weights, &d_scores, &d_score_pairs})
    *array = carver.take<Bf16Bits>(train_block * train_block);
  for (float** const array : {&scores, &dp}) *array = carver.take<float>(train_block * train_block / 2);
  rows = carver.take<Bf16Bits>(train_block * tile_dim(shape));
  result = carver.take<float>(train_block * tile_dim(shape));
  row = carver.take<float>(2 * train_block);
  running = carver.take<float>(train_block * 16);
}

}  // namespace natscope::kernels::cpu
