// SPDX-License-Identifier: GPL-3.0-or-later
// Masked softmax attention over a whole sequence, block by block with a running maximum (FlashAttention, arXiv 2205.14135).
// Scores stand as [key, query]: a key's mask is one comparison, and maximum and sum of a query need no sum across lanes.
#include <omp.h>

#include <cmath>

#include "kernels/cpu/attention_train_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_train_forward.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/attention_train_simd-inl.h"

#ifndef NATSCOPE_ATTENTION_TRAIN_FORWARD_ONCE
#define NATSCOPE_ATTENTION_TRAIN_FORWARD_ONCE
namespace natscope::kernels::cpu {

/// What one thread needs for one KV head.
struct ForwardScratch {
  ForwardScratch(const TrainShape& shape, Carver& carver)
      : order(shape, carver),
        keys(carver.take<float>(shape.padded_length * shape.padded_dim)),
        values(carver.take<float>(shape.padded_length * shape.padded_dim)),
        queries(carver.take<float>(train_block * shape.padded_dim)),
        query_columns(carver.take<float>(train_block * shape.padded_dim)),
        sums(carver.take<float>(train_block * shape.padded_dim)),
        scores(carver.take<float>(train_block * train_block)),
        largest(carver.take<float>(train_block)),
        total(carver.take<float>(train_block)),
        shrink(carver.take<float>(train_block)) {}

  KeyOrder order;
  float* keys;           ///< [padded_length, padded_dim], by place
  float* values;         ///< as keys
  float* queries;        ///< [train_block, padded_dim]
  float* query_columns;  ///< [padded_dim, train_block]
  float* sums;           ///< [train_block, padded_dim] weighted values so far
  float* scores;         ///< [key, query] of one block, then weights
  float* largest;        ///< [train_block] running maximum of a query's scores
  float* total;          ///< [train_block] sum of its weights
  float* shrink;         ///< [train_block] by how much the earlier weights shrink
};

}  // namespace natscope::kernels::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// Below every real score, so that its weight is 0, yet differences stay finite.
constexpr float masked_score = -1e30F;

/// Sets the scores that the mask hides, and moves the running maximum. `plain`: the first keys, which every query here
/// sees.
HWY_INLINE void mask_and_maximum(const ForwardScratch& at, std::int64_t block, std::int64_t begin, std::int64_t plain,
                                 std::int64_t seen, float scale_log2) {
  const TrainTag d;
  const TrainIntTag di;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int32_t* const position = at.order.position + block * train_block;
  const std::int32_t* const last = at.order.last + block * train_block;
  for (std::int64_t j = 0; j < train_block; j += lanes) {
    const auto query = hn::Iota(di, static_cast<std::int32_t>(begin + j));
    const auto before = hn::Load(d, at.largest + j);
    auto largest = before;
    for (std::int64_t r = 0; r < plain; ++r) largest = hn::Max(largest, hn::Load(d, at.scores + r * train_block + j));
    for (std::int64_t r = plain; r < seen; ++r) {
      const auto hidden = hn::Or(hn::Gt(hn::Set(di, position[r]), query), hn::Gt(query, hn::Set(di, last[r])));
      const auto score = hn::IfThenElse(hn::RebindMask(d, hidden), hn::Set(d, masked_score),
                                        hn::Load(d, at.scores + r * train_block + j));
      hn::Store(score, d, at.scores + r * train_block + j);
      largest = hn::Max(largest, score);
    }
    hn::Store(largest, d, at.largest + j);
    hn::Store(exp2_of_negative(hn::Mul(hn::Sub(before, largest), hn::Set(d, scale_log2))), d, at.shrink + j);
  }
}

HWY_INLINE void weigh(const ForwardScratch& at, std::int64_t seen, float scale_log2) {
  const TrainTag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto scale = hn::Set(d, scale_log2);
  for (std::int64_t j = 0; j < train_block; j += lanes) {
    const auto offset = hn::Mul(hn::Load(d, at.largest + j), scale);
    auto total = hn::Mul(hn::Load(d, at.total + j), hn::Load(d, at.shrink + j));
    for (std::int64_t r = 0; r < seen; ++r) {
      float* const weight = at.scores + r * train_block + j;
      const auto w = exp2_of_negative(hn::MulSub(hn::Load(d, weight), scale, offset));
      total = hn::Add(total, w);
      hn::Store(w, d, weight);
    }
    hn::Store(total, d, at.total + j);
  }
}

HWY_INLINE void shrink_sums(const ForwardScratch& at, const TrainShape& shape) {
  const TrainTag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t m = 0; m < train_block; ++m) {
    const auto factor = hn::Set(d, at.shrink[m]);
    float* const row = at.sums + m * shape.padded_dim;
    for (std::int64_t i = 0; i < shape.padded_dim; i += lanes)
      hn::Store(hn::Mul(hn::Load(d, row + i), factor), d, row + i);
  }
}

/// One block of keys for the block of queries at `begin`.
HWY_INLINE void forward_block(const ForwardScratch& at, const TrainShape& shape, std::int64_t block, std::int64_t begin,
                              float scale_log2) {
  const bool diagonal = block * train_block == begin;
  const std::int64_t seen = at.order.seen_from(block, begin);
  if (seen == 0) return;
  const std::int64_t end = std::min(begin + train_block, shape.length) - 1;
  const std::int64_t plain = diagonal ? 0 : at.order.seen_from(block, end);
  const float* const keys = at.keys + block * train_block * shape.padded_dim;
  const float* const values = at.values + block * train_block * shape.padded_dim;
  product<false>(keys, shape.padded_dim, 1, at.query_columns, train_block, shape.padded_dim, at.scores, train_block,
                 seen, train_block);
  mask_and_maximum(at, block, begin, plain, seen, scale_log2);
  weigh(at, seen, scale_log2);
  if (!diagonal) shrink_sums(at, shape);
  product<true>(at.scores, 1, train_block, values, shape.padded_dim, seen, at.sums, shape.padded_dim, train_block,
                shape.padded_dim);
}

void forward_kv_head(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head,
                     const ForwardScratch& at, const View<float, 4>& out, const View<float, 3>& lse) {
  const TrainShape shape(inputs);
  const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
  const auto scale_log2 = static_cast<float>(scale * 1.4426950408889634);
  KeyOrder order = at.order;
  order.build(inputs, batch, kv_head, shape);
  pack_ordered(inputs.k, batch, kv_head, at.order, shape, inputs.dtype, at.keys);
  pack_ordered(inputs.v, batch, kv_head, at.order, shape, inputs.dtype, at.values);

  for (std::int64_t head = kv_head * shape.group; head < (kv_head + 1) * shape.group; ++head) {
    for (std::int64_t begin = 0; begin < shape.length; begin += train_block) {
      pack_block(inputs.q, batch, head, begin, shape, inputs.dtype, at.queries);
      transpose_block(at.queries, shape.padded_dim, at.query_columns);
      std::fill(at.sums, at.sums + train_block * shape.padded_dim, 0.0F);
      std::fill(at.largest, at.largest + train_block, masked_score);
      std::fill(at.total, at.total + train_block, 0.0F);
      // The diagonal first: every query sees itself, so the maximum is a real score from then on.
      for (std::int64_t block = begin / train_block; block >= 0; --block)
        forward_block(at, shape, block, begin, scale_log2);
      for (std::int64_t m = begin; m < std::min(begin + train_block, shape.length); ++m) {
        const std::int64_t row = m - begin;
        const float inverse = 1 / at.total[row];
        for (std::int64_t i = 0; i < shape.head_dim; ++i)
          out(batch, head, m, i) = at.sums[row * shape.padded_dim + i] * inverse;
        lse(batch, head, m) = static_cast<float>(static_cast<double>(at.largest[row]) * scale +
                                                 std::log(static_cast<double>(at.total[row])));
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(forward_kv_head);

namespace {

/// Every KV head of every batch item on its own, each by one thread: sums come out the same whatever the number of
/// threads.
template <class Scratch, class Run>
Status forward_with(const AttentionTrainInputs& inputs, const View<float, 4>& out, const View<float, 3>& lse, Run run) {
  const TrainShape shape(inputs);
  const std::int64_t kv_heads = inputs.k.size(1);
  const std::int64_t units = inputs.k.size(0) * kv_heads;
  const int threads = static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), units));
  const ThreadScratch<Scratch> scratch(shape, threads);
  if (!scratch.allocated()) return {StatusCode::out_of_memory, "scratch of the training attention"};
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::int64_t unit = 0; unit < units; ++unit) {
    run(inputs, unit / kv_heads, unit % kv_heads, scratch.of_thread(shape, omp_get_thread_num()), out, lse);
  }
  return {};
}

}  // namespace

Status attention_train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  if (inputs.dtype == ElementType::bf16 && tiles_available()) {
    return forward_with<TileForwardScratch>(inputs, out, lse, tile_forward_kv_head);
  }
  return forward_with<ForwardScratch>(inputs, out, lse, HWY_DYNAMIC_DISPATCH(forward_kv_head));
}

}  // namespace natscope::kernels::cpu
#endif
