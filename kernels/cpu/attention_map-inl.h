// SPDX-License-Identifier: GPL-3.0-or-later
// Weights of a map's rows: compiled once for each instruction set (Highway's foreach_target).
#if defined(NATSCOPE_ATTENTION_MAP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NATSCOPE_ATTENTION_MAP_INL_H
#undef NATSCOPE_ATTENTION_MAP_INL_H
#else
#define NATSCOPE_ATTENTION_MAP_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/attention_map.h"
#include "kernels/cpu/query_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

/// A block of a map's rows with its queries across the lanes.
class MapBlock {
 public:
  MapBlock(const AttentionMapSource& source, const MapRows& rows, float* room)
      : source_(source), rows_(rows), head_dim_(source.queries.cols) {
    queries_ = room;
    scores_ = queries_ + (head_dim_ * query_block + 15) / 16 * 16;
    lse_ = scores_ + key_block * query_block;
    converted_ = lse_ + query_block;
    const std::int64_t offset = rows.first * source.queries.row_stride;
    if (source.queries.dtype == ElementType::f32) {
      queries_across_lanes(static_cast<const float*>(source.queries.data) + offset, rows.count, head_dim_,
                           source.queries.row_stride, queries_);
    } else {
      queries_across_lanes(static_cast<const Bf16*>(source.queries.data) + offset, rows.count, head_dim_,
                           source.queries.row_stride, queries_);
    }
    std::copy_n(source.lse.data() + rows.first, rows.count, lse_);
    std::fill(lse_ + rows.count, lse_ + query_block, 0.0F);
  }

  /// log of the weights, q·k/√D − lse, of `count` keys: [key_block, query_block], seen or not.
  const float* log_weights(const std::int64_t* keys, std::int64_t count) {
    const F32 d;
    const float* rows[key_block];
    const StoredRows& stored = source_.keys;
    for (std::int64_t key = 0; key < count; ++key) {
      const std::int64_t offset = keys[key] * stored.row_stride;
      const bool is_f32 = stored.dtype == ElementType::f32;
      const void* row = is_f32 ? static_cast<const void*>(static_cast<const float*>(stored.data) + offset)
                               : static_cast<const Bf16*>(stored.data) + offset;
      rows[key] = f32_row(row, is_f32, head_dim_, converted_ + key * head_dim_);
    }
    score_all(rows, count, head_dim_, queries_, 1.0F / std::sqrt(static_cast<float>(head_dim_)), scores_);
    for (std::int64_t column = 0; column < query_block; column += lanes) {
      const auto lse = hn::Load(d, lse_ + column);
      for (std::int64_t key = 0; key < count; ++key) {
        float* const score = scores_ + key * query_block + column;
        hn::Store(hn::Sub(hn::Load(d, score), lse), d, score);
      }
    }
    return scores_;
  }

  /// Which of the queries column … column + lanes − 1 see the key.
  [[nodiscard]] hn::Mask<F32> sees(std::int64_t key, std::int64_t column) const {
    const F32 d;
    const hn::RebindToSigned<F32> di;
    const std::int64_t last = std::max<std::int64_t>(source_.last_query[static_cast<std::size_t>(key)], key);
    const auto query = hn::Iota(di, static_cast<std::int32_t>(rows_.first + column));
    const auto end = hn::Set(di, static_cast<std::int32_t>(rows_.first + rows_.count));
    const auto late = hn::Or(hn::Lt(hn::Set(di, static_cast<std::int32_t>(last)), query), hn::Not(hn::Lt(query, end)));
    return hn::RebindMask(d, hn::Not(hn::Or(late, hn::Lt(query, hn::Set(di, static_cast<std::int32_t>(key))))));
  }

 private:
  const AttentionMapSource& source_;
  MapRows rows_;
  std::int64_t head_dim_;
  float* queries_;    // [head_dim, query_block]
  float* scores_;     // [key_block, query_block]
  float* lse_;        // [query_block]
  float* converted_;  // [key_block, head_dim]
};

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#endif
