// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_tiles.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>

#include "kernels/cpu/attention_train_tiles-inl.h"

namespace natscope::kernels::cpu {

HWY_PUSH_ATTRIBUTES(NATSCOPE_TILE_TARGET)

namespace {

/// Below every real score, so that its weight is 0, yet differences stay finite.
constexpr float masked_score = -1e30F;

/// Sets the scores that the mask hides, and moves the running maximum. `plain`: the first keys, which every query here
/// sees.
inline void mask_and_maximum(const TileForwardScratch& at, std::int64_t block, std::int64_t begin, std::int64_t plain,
                             std::int64_t seen, float scale_log2) {
  const std::int32_t* const position = at.order.position + block * train_block;
  const std::int32_t* const last = at.order.last + block * train_block;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::int64_t j = 0; j < train_block; j += 16) {
    const __m512i query = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(begin + j)));
    const __m512 before = _mm512_load_ps(at.largest + j);
    __m512 largest = before;
    for (std::int64_t r = 0; r < plain; ++r)
      largest = _mm512_max_ps(largest, _mm512_load_ps(at.scores + r * train_block + j));
    for (std::int64_t r = plain; r < seen; ++r) {
      const __mmask16 visible = _mm512_cmple_epi32_mask(_mm512_set1_epi32(position[r]), query) &
                                _mm512_cmple_epi32_mask(query, _mm512_set1_epi32(last[r]));
      const __m512 score = _mm512_mask_loadu_ps(_mm512_set1_ps(masked_score), visible, at.scores + r * train_block + j);
      _mm512_store_ps(at.scores + r * train_block + j, score);
      largest = _mm512_max_ps(largest, score);
    }
    _mm512_store_ps(at.largest + j, largest);
    _mm512_store_ps(at.shrink + j,
                    tile_exp2(_mm512_mul_ps(_mm512_sub_ps(before, largest), _mm512_set1_ps(scale_log2))));
  }
}

/// Weights of the first `seen` keys, in pairs, with zeros up to a whole tile.
inline void weigh(const TileForwardScratch& at, std::int64_t seen, float scale_log2) {
  const __m512 scale = _mm512_set1_ps(scale_log2);
  for (std::int64_t j = 0; j < train_block; j += 16) {
    const __m512 offset = _mm512_mul_ps(_mm512_load_ps(at.largest + j), scale);
    __m512 total = _mm512_mul_ps(_mm512_load_ps(at.total + j), _mm512_load_ps(at.shrink + j));
    for (std::int64_t r = 0; r < seen; r += 2) {
      const float* const score = at.scores + r * train_block + j;
      const __m512 w0 = tile_exp2(_mm512_fmsub_ps(_mm512_load_ps(score), scale, offset));
      __m512 w1 = _mm512_setzero_ps();
      if (r + 1 < seen) w1 = tile_exp2(_mm512_fmsub_ps(_mm512_load_ps(score + train_block), scale, offset));
      total = _mm512_add_ps(total, _mm512_add_ps(w0, w1));
      _mm512_store_si512(at.weights + r * train_block + 2 * j, tile_interleave(tile_round(w0, w1)));
    }
    _mm512_store_ps(at.total + j, total);
  }
  std::fill(at.weights + round_up(seen, 2) * train_block, at.weights + round_up(seen, 32) * train_block, Bf16Bits{0});
}

inline void shrink_sums(const TileForwardScratch& at, std::int64_t width) {
  for (std::int64_t j = 0; j < train_block; j += 16) {
    const __m512 factor = _mm512_load_ps(at.shrink + j);
    for (std::int64_t i = 0; i < width; ++i) {
      float* const sum = at.sums + i * train_block + j;
      _mm512_store_ps(sum, _mm512_mul_ps(_mm512_load_ps(sum), factor));
    }
  }
}

/// One block of keys for the block of queries at `begin`.
inline void forward_block(const TileForwardScratch& at, const TrainShape& shape, std::int64_t block, std::int64_t begin,
                          float scale_log2) {
  const bool diagonal = block * train_block == begin;
  const std::int64_t width = tile_dim(shape);
  const std::int64_t seen = at.order.seen_from(block, begin);
  if (seen == 0) return;
  const std::int64_t plain = diagonal ? 0 : at.order.seen_from(block, std::min(begin + train_block, shape.length) - 1);
  tile_product<false>(at.keys + block * train_block * width, width * 2, at.pairs, train_block * 4, width / 32,
                      at.scores, train_block * 4, round_up(seen, 16) / 16, train_block / 16);
  mask_and_maximum(at, block, begin, plain, seen, scale_log2);
  weigh(at, seen, scale_log2);
  if (!diagonal) shrink_sums(at, width);
  tile_product<true>(at.value_columns + block * train_block * width, train_block * 2, at.weights, train_block * 4,
                     round_up(seen, 32) / 32, at.sums, train_block * 4, width / 16, train_block / 16);
}

}  // namespace

void tile_forward_kv_head(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head,
                          const TileForwardScratch& at, const View<float, 4>& out, const View<float, 3>& lse) {
  const TileSession session;
  const TrainShape shape(inputs);
  const std::int64_t width = tile_dim(shape);
  const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  const auto scale_log2 = static_cast<float>(scale * 1.4426950408889634);
  KeyOrder order = at.order;
  order.build(inputs, batch, kv_head, shape);
  for (std::int64_t block = 0; block < shape.blocks(); ++block) {
    const std::int64_t first = block * train_block * width;
    tile_pack_ordered(inputs.k, batch, kv_head, order, block, shape, at.keys + first);
    tile_pack_ordered(inputs.v, batch, kv_head, order, block, shape, at.rows);
    columns_of(at.rows, width, at.value_columns + first);
  }

  for (std::int64_t head = kv_head * shape.group; head < (kv_head + 1) * shape.group; ++head) {
    for (std::int64_t begin = 0; begin < shape.length; begin += train_block) {
      tile_pack_block(inputs.q, batch, head, begin, shape, at.rows);
      dimension_pairs(at.rows, width, at.pairs);
      std::fill(at.sums, at.sums + train_block * width, 0.0F);
      std::fill(at.largest, at.largest + train_block, masked_score);
      std::fill(at.total, at.total + train_block, 0.0F);
      // The diagonal first: every query sees itself, so the maximum is a real score from then on.
      for (std::int64_t block = begin / train_block; block >= 0; --block)
        forward_block(at, shape, block, begin, scale_log2);
      transpose_words(at.sums, train_block, width, train_block, at.result, width);
      for (std::int64_t m = begin; m < std::min(begin + train_block, shape.length); ++m) {
        const std::int64_t row = m - begin;
        const float inverse = 1 / at.total[row];
        float* const to = &out(batch, head, m, 0);
        for (std::int64_t i = 0; i < shape.head_dim; ++i) to[i] = at.result[row * width + i] * inverse;
        lse(batch, head, m) =
            static_cast<float>(static_cast<double>(at.largest[row]) * scale) + std::log(at.total[row]);
      }
    }
  }
}

HWY_POP_ATTRIBUTES

}  // namespace natscope::kernels::cpu

#else

namespace natscope::kernels::cpu {

void tile_forward_kv_head(const AttentionTrainInputs&, std::int64_t, std::int64_t, const TileForwardScratch&,
                          const View<float, 4>&, const View<float, 3>&) {}  // never called: tiles_available() is false

}  // namespace natscope::kernels::cpu

#endif
