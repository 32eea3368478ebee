// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_statistics.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>

#include "kernels/cpu/operations.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/shared_work.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_statistics.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/attention_map-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

template <class V>
void add_to(float* sum, V added) {
  const F32 d;
  hn::Store(hn::Add(hn::Load(d, sum), added), d, sum);
}

/// statistics [RowStatisticsOut::kinds, query_block], in RowStatisticsOut's order; `other_last_query` null: nothing is
/// lost. Entropy is Σ weight · (lse − score): the logarithm of a weight is known before the weight is.
void statistics_of_rows(const AttentionMapSource& source, const std::int32_t* other_last_query, const MapRows& rows,
                        float* room, float* statistics) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  std::fill_n(statistics, RowStatisticsOut::kinds * query_block, 0.0F);
  float* const distances = statistics + 3 * query_block;
  float* const lost = statistics + 4 * query_block;
  MapBlock block(source, rows, room);
  std::int64_t keys[key_block];
  for (std::int64_t from = 0;;) {
    const std::int64_t count = next_seen_keys(source, rows, from, rows.first + rows.count, keys);
    if (count == 0) break;
    const float* const log_weights = block.log_weights(keys, count);
    for (std::int64_t column = 0; column < query_block; column += lanes) {
      const auto query = hn::Iota(di, static_cast<std::int32_t>(rows.first + column));
      auto entropy = hn::Zero(d);
      auto distance = hn::Zero(d);
      auto gone = hn::Zero(d);
      for (std::int64_t key = 0; key < count; ++key) {
        const auto log_weight = hn::Load(d, log_weights + key * query_block + column);
        const auto weight = hn::IfThenElseZero(block.sees(keys[key], column), exp_of(log_weight));
        entropy = hn::NegMulAdd(weight, hn::IfThenElseZero(hn::Gt(weight, hn::Zero(d)), log_weight), entropy);
        const auto position = hn::Set(di, static_cast<std::int32_t>(keys[key]));
        distance = hn::MulAdd(weight, hn::ConvertTo(d, hn::Sub(query, position)), distance);
        if (other_last_query != nullptr) {
          const std::int32_t last = std::max(other_last_query[keys[key]], static_cast<std::int32_t>(keys[key]));
          const auto is_gone = hn::RebindMask(d, hn::Lt(hn::Set(di, last), query));
          gone = hn::Add(gone, hn::IfThenElseZero(is_gone, weight));
        }
        if (keys[key] == 0) hn::Store(weight, d, statistics + query_block + column);
        if (keys[key] >= rows.first + column && keys[key] < rows.first + column + lanes) {
          const auto self = hn::RebindMask(d, hn::Eq(query, position));
          float* const self_at = statistics + 2 * query_block + column;
          hn::Store(hn::IfThenElse(self, weight, hn::Load(d, self_at)), d, self_at);
        }
      }
      add_to(statistics + column, entropy);
      add_to(distances + column, distance);
      add_to(lost + column, gone);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(statistics_of_rows);

Status row_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out) {
  const std::int64_t count = out.count();
  if (count == 0) return {};
  const std::int64_t room = map_room(source.queries.cols);
  const std::int64_t thread_floats = room + RowStatisticsOut::kinds * query_block;
  const auto scratch = hwy::AllocateAligned<float>(static_cast<std::size_t>(thread_floats * max_threads()));
  if (scratch == nullptr) return {StatusCode::out_of_memory, "row_statistics"};
  const auto run = HWY_DYNAMIC_DISPATCH(statistics_of_rows);
  const std::int32_t* const other = out.lost.empty() ? nullptr : other_last_query.data();
  const double work = static_cast<double>(count) * static_cast<double>(first_query.value + count) / 2;
  share_work((count + query_block - 1) / query_block, 1, work, [&](int thread, std::int64_t begin, std::int64_t end) {
    float* const own = scratch.get() + thread_floats * thread;
    float* const statistics = own + room;
    for (std::int64_t first = begin * query_block; first < std::min(end * query_block, count); first += query_block) {
      const std::int64_t rows = std::min(query_block, count - first);
      run(source, other, {first_query.value + first, rows}, own, statistics);
      const float* from = statistics;
      for (const std::span<float> to : out.all()) {
        if (!to.empty()) std::copy_n(from, rows, to.data() + first);
        from += query_block;
      }
    }
  });
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
