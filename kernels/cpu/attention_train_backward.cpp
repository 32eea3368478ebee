// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of the masked attention and of the role options. Scores stand as [key, query], a key's role sums run along its row.
// The role sums need e^(s − lse) and dP of every causal pair; dq, dk and dv only the keys that some query of the block sees,
// which are the first ones of their block (KeyOrder).
#include <omp.h>

#include <cmath>

#include "kernels/cpu/attention_train_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_train_backward.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/attention_train_simd-inl.h"

#ifndef NATSCOPE_ATTENTION_TRAIN_BACKWARD_ONCE
#define NATSCOPE_ATTENTION_TRAIN_BACKWARD_ONCE
namespace natscope::kernels::cpu {

/// What one thread needs for one KV head and, one after the other, its query heads.
struct BackwardScratch {
  BackwardScratch(const TrainShape& shape, Carver& carver)
      : order(shape, carver),
        keys(rows(shape, carver)),
        values(rows(shape, carver)),
        dk(rows(shape, carver)),
        dv(rows(shape, carver)),
        queries(rows(shape, carver)),
        query_columns(rows(shape, carver)),
        d_out(rows(shape, carver)),
        d_out_columns(rows(shape, carver)),
        dq(rows(shape, carver)),
        lse_log2(carver.take<float>(shape.padded_length)),
        delta(carver.take<float>(shape.padded_length)),
        weights(carver.take<float>(train_block * train_block)),
        d_scores(carver.take<float>(train_block * train_block)),
        row(carver.take<float>(train_block)),
        running(carver.take<float>(train_block * 16)),
        sums(shape, carver) {}

  static float* rows(const TrainShape& shape, Carver& carver) {
    return carver.take<float>(shape.padded_length * shape.padded_dim);
  }

  KeyOrder order;
  float *keys, *values, *dk, *dv;  ///< [padded_length, padded_dim], by place
  float* queries;                  ///< [padded_length, padded_dim]
  float* query_columns;            ///< for each block [padded_dim, train_block]
  float* d_out;                    ///< as queries
  float* d_out_columns;            ///< as query_columns
  float* dq;                       ///< as queries
  float* lse_log2;                 ///< [padded_length] log-sum-exp in powers of two
  float* delta;                    ///< [padded_length] Σ dO · O
  float* weights;                  ///< [key, query] of one block
  float* d_scores;                 ///< [key, query] of one block: dP, then the gradient of the scores
  float* row;                      ///< [train_block] dM of one key
  float* running;                  ///< [key, lane] sum of dM so far, over the blocks of queries
  RoleSums sums;
};

}  // namespace natscope::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// Sum over all lanes of `running` and of the row's dM up to the query at `end`.
HWY_INLINE double sum_until(TrainVec running, const float* row, std::int64_t begin, std::int32_t end) {
  const TrainTag d;
  const TrainIntTag di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t j = 0; j < train_block; j += lanes) {
    const auto past = hn::Gt(hn::Iota(di, static_cast<std::int32_t>(begin + j)), hn::Set(di, end));
    running = hn::Add(running, hn::IfThenZeroElse(hn::RebindMask(d, past), hn::Load(d, row + j)));
  }
  return static_cast<double>(hn::GetLane(hn::SumOfLanes(d, running)));
}

/// Weights and score gradients of the keys [first, end) of a block, and their role sums.
/// `masked`: some query here does not see some of these keys. `wanted`: whether dq, dk, dv need them.
template <bool diagonal, bool masked, bool wanted, bool with_roles>
HWY_INLINE void score_gradients(const BackwardScratch& at, std::int64_t block, std::int64_t begin, std::int64_t first,
                                std::int64_t end, float scale_log2) {
  const TrainTag d;
  const TrainIntTag di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, scale_log2);
  for (std::int64_t r = first; r < end; ++r) {
    const std::int64_t place = block * train_block + r;
    float* const weights = at.weights + r * train_block;
    float* const d_scores = at.d_scores + r * train_block;
    auto sum = hn::Zero(d);
    for (std::int64_t j = 0; j < train_block; j += lanes) {
      const auto query = hn::Iota(di, static_cast<std::int32_t>(begin + j));
      const auto exponent = hn::MulSub(hn::Load(d, weights + j), scale, hn::Load(d, at.lse_log2 + begin + j));
      auto weight = exp2_of_negative(hn::Min(hn::Zero(d), exponent));
      auto dm = hn::Mul(weight, hn::Sub(hn::Load(d, d_scores + j), hn::Load(d, at.delta + begin + j)));
      if constexpr (diagonal) {
        const auto future = hn::RebindMask(d, hn::Gt(hn::Set(di, at.order.position[place]), query));
        weight = hn::IfThenZeroElse(future, weight);
        dm = hn::IfThenZeroElse(future, dm);
      }
      if constexpr (with_roles) {
        sum = hn::Add(sum, dm);
        hn::Store(dm, d, at.row + j);
      }
      if constexpr (masked) {
        const auto hidden = hn::RebindMask(d, hn::Gt(query, hn::Set(di, at.order.last[place])));
        weight = hn::IfThenZeroElse(hidden, weight);
        dm = hn::IfThenZeroElse(hidden, dm);
      }
      if constexpr (wanted) {
        hn::Store(weight, d, weights + j);
        hn::Store(dm, d, d_scores + j);
      }
    }
    if constexpr (with_roles) {
      float* const running = at.running + r * 16;
      const auto before = hn::Load(d, running);
      const auto here = [begin](std::int32_t query) { return query >= begin && query < begin + train_block; };
      if (here(at.order.next_end[place]))
        at.sums.to_next[place] += sum_until(before, at.row, begin, at.order.next_end[place]);
      if (here(at.order.window_end[place]))
        at.sums.to_window[place] += sum_until(before, at.row, begin, at.order.window_end[place]);
      if (here(at.order.second_end[place]))
        at.sums.to_second[place] += sum_until(before, at.row, begin, at.order.second_end[place]);
      hn::Store(hn::Add(before, sum), d, running);
    }
  }
}

/// One block of keys against the block of queries at `begin`.
template <bool with_roles>
HWY_INLINE void backward_block(const BackwardScratch& at, const TrainShape& shape, std::int64_t block,
                               std::int64_t begin, float scale_log2) {
  const std::int64_t width = shape.padded_dim;
  const std::int64_t seen = at.order.seen_from(block, begin);
  if (!with_roles && seen == 0) return;
  const std::int64_t plain = at.order.seen_from(block, std::min(begin + train_block, shape.length) - 1);
  const std::int64_t scored = with_roles ? train_block : seen;
  const std::int64_t key_rows = block * train_block * width;
  const std::int64_t query_rows = begin * width;

  product<false>(at.keys + key_rows, width, 1, at.query_columns + query_rows, train_block, width, at.weights,
                 train_block, scored, train_block);
  product<false>(at.values + key_rows, width, 1, at.d_out_columns + query_rows, train_block, width, at.d_scores,
                 train_block, scored, train_block);
  if (block * train_block == begin) {
    score_gradients<true, true, true, with_roles>(at, block, begin, 0, seen, scale_log2);
  } else {
    score_gradients<false, false, true, with_roles>(at, block, begin, 0, plain, scale_log2);
    score_gradients<false, true, true, with_roles>(at, block, begin, plain, seen, scale_log2);
    if (with_roles) score_gradients<false, false, false, with_roles>(at, block, begin, seen, train_block, scale_log2);
  }
  if (seen == 0) return;

  // Products below take whole groups of 8 keys: the rest of the last group must add nothing.
  const std::int64_t group_end = round_up(seen, 8);
  std::fill(at.weights + seen * train_block, at.weights + group_end * train_block, 0.0F);
  std::fill(at.d_scores + seen * train_block, at.d_scores + group_end * train_block, 0.0F);
  product<true>(at.weights, train_block, 1, at.d_out + query_rows, width, train_block, at.dv + key_rows, width, seen,
                width);
  product<true>(at.d_scores, train_block, 1, at.queries + query_rows, width, train_block, at.dk + key_rows, width, seen,
                width);
  product<true>(at.d_scores, 1, train_block, at.keys + key_rows, width, seen, at.dq + query_rows, width, train_block,
                width);
}

/// Packs what the products read of one query head, and its Δ.
void prepare_head(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, std::int64_t batch,
                  std::int64_t head, const TrainShape& shape, const BackwardScratch& at) {
  for (std::int64_t begin = 0; begin < shape.length; begin += train_block) {
    const std::int64_t rows = begin * shape.padded_dim;
    pack_block(inputs.q, batch, head, begin, shape, inputs.dtype, at.queries + rows);
    pack_block(gradients.d_out, batch, head, begin, shape, inputs.dtype, at.d_out + rows);
    transpose_block(at.queries + rows, shape.padded_dim, at.query_columns + rows);
    transpose_block(at.d_out + rows, shape.padded_dim, at.d_out_columns + rows);
  }
  for (std::int64_t m = 0; m < shape.padded_length; ++m) {
    at.lse_log2[m] = at.delta[m] = 0;  // past the end: with a zero d_out this adds zeros
    if (m >= shape.length) continue;
    double delta = 0;
    for (std::int64_t i = 0; i < shape.head_dim; ++i) {
      delta += static_cast<double>(at.d_out[m * shape.padded_dim + i]) *
               static_cast<double>(gradients.out(batch, head, m, i));
    }
    at.delta[m] = static_cast<float>(delta);
    at.lse_log2[m] = static_cast<float>(static_cast<double>(gradients.lse(batch, head, m)) * 1.4426950408889634);
  }
  std::fill(at.dq, at.dq + shape.padded_length * shape.padded_dim, 0.0F);
}

template <bool with_roles>
void backward_head(const TrainShape& shape, const BackwardScratch& at, float scale_log2) {
  const TrainTag d;
  for (std::int64_t block = 0; block < shape.blocks(); ++block) {
    if (with_roles) std::fill(at.running, at.running + train_block * 16, 0.0F);
    for (std::int64_t begin = block * train_block; begin < shape.length; begin += train_block) {
      backward_block<with_roles>(at, shape, block, begin, scale_log2);
    }
    if (!with_roles) continue;
    for (std::int64_t r = 0; r < train_block; ++r) {
      at.sums.total[block * train_block + r] +=
          static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Load(d, at.running + r * 16))));
    }
  }
}

void backward_kv_head(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, std::int64_t batch,
                      std::int64_t kv_head, const BackwardScratch& at) {
  const TrainShape shape(inputs);
  const bool with_roles = gradients.d_roles.data != nullptr;
  const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  const auto scale_log2 = static_cast<float>(scale * 1.4426950408889634);
  KeyOrder order = at.order;
  order.build(inputs, batch, kv_head, shape);
  pack_ordered(inputs.k, batch, kv_head, order, shape, inputs.dtype, at.keys);
  pack_ordered(inputs.v, batch, kv_head, order, shape, inputs.dtype, at.values);
  std::fill(at.dk, at.dk + shape.padded_length * shape.padded_dim, 0.0F);
  std::fill(at.dv, at.dv + shape.padded_length * shape.padded_dim, 0.0F);
  at.sums.clear(shape);

  for (std::int64_t head = kv_head * shape.group; head < (kv_head + 1) * shape.group; ++head) {
    prepare_head(inputs, gradients, batch, head, shape, at);
    if (with_roles) {
      backward_head<true>(shape, at, scale_log2);
    } else {
      backward_head<false>(shape, at, scale_log2);
    }
    for (std::int64_t m = 0; m < shape.length; ++m) {
      for (std::int64_t i = 0; i < shape.head_dim; ++i) {
        gradients.dq(batch, head, m, i) = at.dq[m * shape.padded_dim + i] * static_cast<float>(scale);
      }
    }
  }
  for (std::int64_t place = 0; place < shape.padded_length; ++place) {
    if (order.last[place] < 0) continue;
    const std::int64_t n = order.position[place];
    for (std::int64_t i = 0; i < shape.head_dim; ++i) {
      gradients.dk(batch, kv_head, n, i) = at.dk[place * shape.padded_dim + i] * static_cast<float>(scale);
      gradients.dv(batch, kv_head, n, i) = at.dv[place * shape.padded_dim + i];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(backward_kv_head);

namespace {

/// Every KV head of every batch item on its own, each by one thread: sums come out the same whatever the number of
/// threads.
template <class Scratch, class Run>
Status backward_with(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, Run run) {
  const TrainShape shape(inputs);
  const std::int64_t kv_heads = inputs.k.size(1);
  const std::int64_t units = inputs.k.size(0) * kv_heads;
  const int threads = static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), units));
  const ThreadScratch<Scratch> scratch(shape, threads);
  if (!scratch.allocated()) return {StatusCode::out_of_memory, "scratch of the training attention"};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::int64_t unit = 0; unit < units; ++unit) {
    const Scratch own = scratch.of_thread(shape, omp_get_thread_num());
    run(inputs, gradients, unit / kv_heads, unit % kv_heads, own);
    if (gradients.d_roles.data != nullptr)
      own.sums.write(inputs, gradients, unit / kv_heads, unit % kv_heads, shape, own.order);
  }
  return {};
}

}  // namespace

Status attention_train_backward(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients) {
  if (inputs.dtype == ElementType::bf16 && tiles_available()) {
    return backward_with<TileBackwardScratch>(inputs, gradients, tile_backward_kv_head);
  }
  return backward_with<BackwardScratch>(inputs, gradients, HWY_DYNAMIC_DISPATCH(backward_kv_head));
}

}  // namespace natscope::kernels::cpu
#endif
