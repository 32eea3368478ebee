// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_tiles.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>

#include "kernels/cpu/attention_train_tiles-inl.h"

namespace natscope::kernels::cpu {

HWY_PUSH_ATTRIBUTES(NATSCOPE_TILE_TARGET)

namespace {

constexpr std::int64_t half_block = train_block / 2;  // keys whose scores and dP stay in the nearest cache

inline __m512i lanes_from(std::int64_t first) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(first)));
}

/// Sum over all lanes of `running` and of the row's dM up to the query at `end`.
inline double sum_until(__m512 running, const float* row, std::int64_t begin, std::int32_t end) {
  for (std::int64_t j = 0; j < train_block; j += 16) {
    const __mmask16 counted = _mm512_cmple_epi32_mask(lanes_from(begin + j), _mm512_set1_epi32(end));
    running = _mm512_mask_add_ps(running, counted, running, _mm512_load_ps(row + j));
  }
  return static_cast<double>(_mm512_reduce_add_ps(running));
}

/// Adds one key's dM of this block to its running sum, and reads that where a range of the key ends.
inline void add_role_sums(const TileBackwardScratch& at, std::int64_t place, std::int64_t begin, const float* row,
                          __m512 sum) {
  float* const running = at.running + (place % train_block) * 16;
  const __m512 before = _mm512_load_ps(running);
  const auto here = [begin](std::int32_t query) { return query >= begin && query < begin + train_block; };
  if (here(at.order.next_end[place])) at.sums.to_next[place] += sum_until(before, row, begin, at.order.next_end[place]);
  if (here(at.order.window_end[place]))
    at.sums.to_window[place] += sum_until(before, row, begin, at.order.window_end[place]);
  if (here(at.order.second_end[place]))
    at.sums.to_second[place] += sum_until(before, row, begin, at.order.second_end[place]);
  _mm512_store_ps(running, _mm512_add_ps(before, sum));
}

/// Weights and score gradients of the keys [first, end) of a half block that starts at key `half` of its block, two
/// keys at a time, and their role sums. `masked`: some query here does not see some of these keys. `wanted`: whether
/// dq, dk, dv need them.
template <bool diagonal, bool masked, bool wanted, bool with_roles>
inline void score_gradients(const TileBackwardScratch& at, std::int64_t block, std::int64_t begin, std::int64_t half,
                            std::int64_t first, std::int64_t end, float scale_log2) {
  const __m512 scale = _mm512_set1_ps(scale_log2);
  for (std::int64_t r = first; r < end; r += 2) {
    const std::int64_t place = block * train_block + r;
    const float* const scores = at.scores + (r - half) * train_block;
    const float* const dp = at.dp + (r - half) * train_block;
    __m512 sum[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
#pragma GCC unroll 2
    for (std::int64_t j = 0; j < train_block; j += 32) {
      __m512 weight[2][2];
      __m512 dm[2][2];
#pragma GCC unroll 2
      for (int side = 0; side < 2; ++side) {
        const std::int64_t m = j + 16 * side;
        const __m512 lse = _mm512_load_ps(at.lse_log2 + begin + m);
        const __m512 delta = _mm512_load_ps(at.delta + begin + m);
        const __m512i query = lanes_from(begin + m);
#pragma GCC unroll 2
        for (int key = 0; key < 2; ++key) {
          const __m512 exponent = _mm512_fmsub_ps(_mm512_load_ps(scores + key * train_block + m), scale, lse);
          __m512 w = tile_exp2(_mm512_min_ps(_mm512_setzero_ps(), exponent));
          __m512 d = _mm512_mul_ps(w, _mm512_sub_ps(_mm512_load_ps(dp + key * train_block + m), delta));
          if constexpr (diagonal) {
            const __mmask16 causal = _mm512_cmple_epi32_mask(_mm512_set1_epi32(at.order.position[place + key]), query);
            w = _mm512_maskz_mov_ps(causal, w);
            d = _mm512_maskz_mov_ps(causal, d);
          }
          if constexpr (with_roles) {
            sum[key] = _mm512_add_ps(sum[key], d);
            _mm512_store_ps(at.row + key * train_block + m, d);
          }
          if constexpr (masked) {
            const __mmask16 visible = _mm512_cmple_epi32_mask(query, _mm512_set1_epi32(at.order.last[place + key]));
            w = _mm512_maskz_mov_ps(visible, w);
            d = _mm512_maskz_mov_ps(visible, d);
          }
          weight[key][side] = w;
          dm[key][side] = d;
        }
        if constexpr (wanted) {
          _mm512_store_si512(at.d_score_pairs + r * train_block + 2 * m,
                             tile_interleave(tile_round(dm[0][side], dm[1][side])));
        }
      }
      if constexpr (wanted) {
#pragma GCC unroll 2
        for (int key = 0; key < 2; ++key) {
          _mm512_store_si512(at.weights + (r + key) * train_block + j, tile_round(weight[key][0], weight[key][1]));
          _mm512_store_si512(at.d_scores + (r + key) * train_block + j, tile_round(dm[key][0], dm[key][1]));
        }
      }
    }
    if constexpr (with_roles) {
      add_role_sums(at, place, begin, at.row, sum[0]);
      add_role_sums(at, place + 1, begin, at.row + train_block, sum[1]);
    }
  }
}

/// One block of keys against the block of queries at `begin`.
template <bool with_roles>
inline void backward_block(const TileBackwardScratch& at, const TrainShape& shape, std::int64_t block,
                           std::int64_t begin, float scale_log2) {
  const std::int64_t width = tile_dim(shape);
  const bool diagonal = block * train_block == begin;
  const std::int64_t seen = at.order.seen_from(block, begin);
  const std::int64_t plain =
      diagonal ? 0 : at.order.seen_from(block, std::min(begin + train_block, shape.length) - 1) / 2 * 2;
  const std::int64_t wanted = round_up(seen, 2);
  const std::int64_t scored = with_roles ? train_block : wanted;
  const std::int64_t key_rows = block * train_block * width;
  const std::int64_t query_rows = begin * width;

  for (std::int64_t half = 0; half < scored; half += half_block) {
    const std::int64_t row_tiles = std::min<std::int64_t>(2, round_up(scored - half, 16) / 16);
    const std::int64_t keys = key_rows + half * width;
    tile_product<false>(at.keys + keys, width * 2, at.query_pairs + query_rows, train_block * 4, width / 32, at.scores,
                        train_block * 4, row_tiles, train_block / 16);
    tile_product<false>(at.values + keys, width * 2, at.d_out_pairs + query_rows, train_block * 4, width / 32, at.dp,
                        train_block * 4, row_tiles, train_block / 16);
    const auto inside = [half](std::int64_t key) { return std::clamp(key, half, half + half_block); };
    if (diagonal) {
      score_gradients<true, true, true, with_roles>(at, block, begin, half, half, inside(wanted), scale_log2);
      if (with_roles)
        score_gradients<true, false, false, with_roles>(at, block, begin, half, inside(wanted), half + half_block,
                                                        scale_log2);
    } else {
      score_gradients<false, false, true, with_roles>(at, block, begin, half, half, inside(plain), scale_log2);
      score_gradients<false, true, true, with_roles>(at, block, begin, half, inside(plain), inside(wanted), scale_log2);
      if (with_roles)
        score_gradients<false, false, false, with_roles>(at, block, begin, half, inside(wanted), half + half_block,
                                                         scale_log2);
    }
  }
  if (seen == 0) return;

  // Products below take whole tiles of keys: the rest of the last one must add nothing.
  const std::int64_t tiles_end = round_up(seen, 32);
  for (Bf16Bits* const array : {at.weights, at.d_scores, at.d_score_pairs}) {
    std::fill(array + wanted * train_block, array + tiles_end * train_block, Bf16Bits{0});
  }
  const std::int64_t row_tiles = round_up(seen, 16) / 16;
  tile_product<true>(at.weights, train_block * 2, at.d_out_rows + query_rows, width * 4, train_block / 32,
                     at.dv + key_rows, width * 4, row_tiles, width / 16);
  tile_product<true>(at.d_scores, train_block * 2, at.query_rows + query_rows, width * 4, train_block / 32,
                     at.dk + key_rows, width * 4, row_tiles, width / 16);
  tile_product<true>(at.key_columns + key_rows, train_block * 2, at.d_score_pairs, train_block * 4, tiles_end / 32,
                     at.dq_columns + query_rows, train_block * 4, width / 16, train_block / 16);
}

/// Σ dO · O of one query, with dO as products see it.
inline float delta_of(const Bf16Bits* d_out, const float* out, std::int64_t head_dim) {
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < head_dim; i += 16) {
    const std::int64_t left = head_dim - i;
    const auto lanes = static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << left) - 1);
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(d_out + i));
    const __m512 wide = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    sum = _mm512_fmadd_ps(wide, _mm512_maskz_loadu_ps(lanes, out + i), sum);
  }
  return _mm512_reduce_add_ps(sum);
}

/// Packs what the products read of one query head, and its Δ.
void prepare_head(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, std::int64_t batch,
                  std::int64_t head, const TrainShape& shape, const TileBackwardScratch& at) {
  const std::int64_t width = tile_dim(shape);
  for (std::int64_t begin = 0; begin < shape.length; begin += train_block) {
    tile_pack_block(inputs.q, batch, head, begin, shape, at.rows);
    dimension_pairs(at.rows, width, at.query_pairs + begin * width);
    row_pairs(at.rows, width, at.query_rows + begin * width);
    tile_pack_block(gradients.d_out, batch, head, begin, shape, at.rows);
    dimension_pairs(at.rows, width, at.d_out_pairs + begin * width);
    row_pairs(at.rows, width, at.d_out_rows + begin * width);
    for (std::int64_t m = begin; m < begin + train_block; ++m) {
      at.lse_log2[m] = at.delta[m] = 0;  // past the end: with a zero d_out this adds zeros
      if (m >= shape.length) continue;
      at.delta[m] = delta_of(at.rows + (m - begin) * width, &gradients.out(batch, head, m, 0), shape.head_dim);
      at.lse_log2[m] = static_cast<float>(static_cast<double>(gradients.lse(batch, head, m)) * 1.4426950408889634);
    }
  }
  std::fill(at.dq_columns, at.dq_columns + shape.padded_length * width, 0.0F);
}

template <bool with_roles>
void backward_head(const TrainShape& shape, const TileBackwardScratch& at, float scale_log2) {
  for (std::int64_t block = 0; block < shape.blocks(); ++block) {
    if (with_roles) std::fill(at.running, at.running + train_block * 16, 0.0F);
    for (std::int64_t begin = block * train_block; begin < shape.length; begin += train_block) {
      backward_block<with_roles>(at, shape, block, begin, scale_log2);
    }
    if (!with_roles) continue;
    for (std::int64_t r = 0; r < train_block; ++r) {
      at.sums.total[block * train_block + r] +=
          static_cast<double>(_mm512_reduce_add_ps(_mm512_load_ps(at.running + r * 16)));
    }
  }
}

void write_dq(const AttentionTrainGradients& gradients, std::int64_t batch, std::int64_t head, const TrainShape& shape,
              const TileBackwardScratch& at, float scale) {
  const std::int64_t width = tile_dim(shape);
  for (std::int64_t begin = 0; begin < shape.length; begin += train_block) {
    transpose_words(at.dq_columns + begin * width, train_block, width, train_block, at.result, width);
    for (std::int64_t m = begin; m < std::min(begin + train_block, shape.length); ++m) {
      float* const to = &gradients.dq(batch, head, m, 0);
      for (std::int64_t i = 0; i < shape.head_dim; ++i) to[i] = at.result[(m - begin) * width + i] * scale;
    }
  }
}

}  // namespace

void tile_backward_kv_head(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients,
                           std::int64_t batch, std::int64_t kv_head, const TileBackwardScratch& at) {
  const TileSession session;
  const TrainShape shape(inputs);
  const std::int64_t width = tile_dim(shape);
  const bool with_roles = gradients.d_roles.data != nullptr;
  const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  const auto scale_log2 = static_cast<float>(scale * 1.4426950408889634);
  KeyOrder order = at.order;
  order.build(inputs, batch, kv_head, shape);
  for (std::int64_t block = 0; block < shape.blocks(); ++block) {
    const std::int64_t first = block * train_block * width;
    tile_pack_ordered(inputs.k, batch, kv_head, order, block, shape, at.keys + first);
    tile_pack_ordered(inputs.v, batch, kv_head, order, block, shape, at.values + first);
    columns_of(at.keys + first, width, at.key_columns + first);
  }
  std::fill(at.dk, at.dk + shape.padded_length * width, 0.0F);
  std::fill(at.dv, at.dv + shape.padded_length * width, 0.0F);
  at.sums.clear(shape);

  for (std::int64_t head = kv_head * shape.group; head < (kv_head + 1) * shape.group; ++head) {
    prepare_head(inputs, gradients, batch, head, shape, at);
    if (with_roles) {
      backward_head<true>(shape, at, scale_log2);
    } else {
      backward_head<false>(shape, at, scale_log2);
    }
    write_dq(gradients, batch, head, shape, at, static_cast<float>(scale));
  }
  for (std::int64_t place = 0; place < shape.padded_length; ++place) {
    if (order.last[place] < 0) continue;
    const std::int64_t n = order.position[place];
    for (std::int64_t i = 0; i < shape.head_dim; ++i) {
      gradients.dk(batch, kv_head, n, i) = at.dk[place * width + i] * static_cast<float>(scale);
      gradients.dv(batch, kv_head, n, i) = at.dv[place * width + i];
    }
  }
}

HWY_POP_ATTRIBUTES

}  // namespace natscope::kernels::cpu

#else

namespace natscope::kernels::cpu {

void tile_backward_kv_head(const AttentionTrainInputs&, const AttentionTrainGradients&, std::int64_t, std::int64_t,
                           const TileBackwardScratch&) {}  // never called: tiles_available() is false

}  // namespace natscope::kernels::cpu

#endif
