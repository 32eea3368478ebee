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

/// statistics [3, query_block]: entropy, weight of position 0, weight of the query itself.
/// Entropy is Σ weight · (lse − score): the logarithm of a weight is known before the weight is.
void statistics_of_rows(const AttentionMapSource& source, const MapRows& rows, float* room, float* statistics) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  std::fill_n(statistics, 3 * query_block, 0.0F);
  MapBlock block(source, rows, room);
  std::int64_t keys[key_block];
  for (std::int64_t from = 0;;) {
    const std::int64_t count = next_seen_keys(source, rows, from, rows.first + rows.count, keys);
    if (count == 0) break;
    const float* const log_weights = block.log_weights(keys, count);
    for (std::int64_t column = 0; column < query_block; column += lanes) {
      auto entropy = hn::Zero(d);
      for (std::int64_t key = 0; key < count; ++key) {
        const auto log_weight = hn::Load(d, log_weights + key * query_block + column);
        const auto weight = hn::IfThenElseZero(block.sees(keys[key], column), exp_of(log_weight));
        entropy = hn::NegMulAdd(weight, hn::IfThenElseZero(hn::Gt(weight, hn::Zero(d)), log_weight), entropy);
        if (keys[key] == 0) hn::Store(weight, d, statistics + query_block + column);
        if (keys[key] >= rows.first + column && keys[key] < rows.first + column + lanes) {
          const auto query = hn::Iota(di, static_cast<std::int32_t>(rows.first + column));
          const auto self = hn::RebindMask(d, hn::Eq(query, hn::Set(di, static_cast<std::int32_t>(keys[key]))));
          float* const self_at = statistics + 2 * query_block + column;
          hn::Store(hn::IfThenElse(self, weight, hn::Load(d, self_at)), d, self_at);
        }
      }
      hn::Store(hn::Add(hn::Load(d, statistics + column), entropy), d, statistics + column);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(statistics_of_rows);

Status row_statistics(const AttentionMapSource& source, TokenPos first_query, std::span<float> entropy,
                      std::span<float> sink_weight, std::span<float> self_weight) {
  const auto count = static_cast<std::int64_t>(std::max({entropy.size(), sink_weight.size(), self_weight.size()}));
  if (count == 0) return {};
  const std::int64_t room = map_room(source.queries.cols);
  const std::int64_t thread_floats = room + 3 * query_block;
  const auto scratch = hwy::AllocateAligned<float>(static_cast<std::size_t>(thread_floats * max_threads()));
  if (scratch == nullptr) return {StatusCode::out_of_memory, "row_statistics"};
  const auto run = HWY_DYNAMIC_DISPATCH(statistics_of_rows);
  const double work = static_cast<double>(count) * static_cast<double>(first_query.value + count) / 2;
  share_work((count + query_block - 1) / query_block, 1, work, [&](int thread, std::int64_t begin, std::int64_t end) {
    float* const own = scratch.get() + thread_floats * thread;
    float* const statistics = own + room;
    for (std::int64_t first = begin * query_block; first < std::min(end * query_block, count); first += query_block) {
      const std::int64_t rows = std::min(query_block, count - first);
      run(source, {first_query.value + first, rows}, own, statistics);
      const auto copy = [&](std::int64_t which, std::span<float> to) {
        if (!to.empty()) std::copy_n(statistics + which * query_block, rows, to.data() + first);
      };
      copy(0, entropy);
      copy(1, sink_weight);
      copy(2, self_weight);
    }
  });
  return {};
}

}  // namespace natscope::kernels::cpu
#endif
