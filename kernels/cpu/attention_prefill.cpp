// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_prefill.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <new>
#include <vector>

#include "kernels/cpu/attention_prefill_tiles.h"
#include "kernels/cpu/operations.h"
#include "kernels/cpu/prefill_scratch.h"
#include "kernels/cpu/prefill_task.h"
#include "kernels/cpu/simd_targets.h"
#include "kernels/cpu/tiles.h"
#include "kernels/shared_work.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_prefill.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/query_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace natscope::kernels::cpu {
namespace HWY_NAMESPACE {

constexpr float unseen = -1e30F;  // a score that no weight comes from
constexpr float lowest = -1e29F;  // a maximum that makes nothing of it

/// sums[i … i + dims, :] += Σ over keys of values[key, i …] · weights[key, :].
template <int dims>
HWY_INLINE void add_value_columns(const float* const* values, std::int64_t count, std::int64_t i,
                                  const float* HWY_RESTRICT weights, float* HWY_RESTRICT sums) {
  const F32 d;
  for (std::int64_t column = 0; column < query_block; column += columns * lanes) {
    F32Vec sum[dims][columns];
    for (int r = 0; r < dims; ++r) {
      for (int c = 0; c < columns; ++c) sum[r][c] = hn::Load(d, sums + (i + r) * query_block + column + c * lanes);
    }
    for (std::int64_t key = 0; key < count; ++key) {
      const float* const row = values[key] + i;
      F32Vec weight[columns];
      for (int c = 0; c < columns; ++c) weight[c] = hn::Load(d, weights + key * query_block + column + c * lanes);
      for (int r = 0; r < dims; ++r) {
        const auto value = hn::Set(d, row[r]);
        for (int c = 0; c < columns; ++c) sum[r][c] = hn::MulAdd(value, weight[c], sum[r][c]);
      }
    }
    for (int r = 0; r < dims; ++r) {
      for (int c = 0; c < columns; ++c) hn::Store(sum[r][c], d, sums + (i + r) * query_block + column + c * lanes);
    }
  }
}

/// Scores of queries that a key is not meant for become `unseen`.
HWY_INLINE void hide_unseen(const PrefillKeys& keys, std::int64_t begin, std::int64_t end, std::int64_t first_query,
                            float* scores) {
  const F32 d;
  const hn::RebindToSigned<F32> di;
  for (std::int64_t place = begin; place < end; ++place) {
    const auto from = hn::Set(di, keys[place].position);
    const auto to = hn::Set(di, keys[place].last);
    float* const row = scores + (place - begin) * query_block;
    for (std::int64_t column = 0; column < query_block; column += lanes) {
      const auto query = hn::Iota(di, static_cast<std::int32_t>(first_query + column));
      const auto hidden = hn::Or(hn::Lt(query, from), hn::Lt(to, query));
      hn::Store(hn::IfThenElse(hn::RebindMask(d, hidden), hn::Set(d, unseen), hn::Load(d, row + column)), d,
                row + column);
    }
  }
}

/// Scores to weights relative to each query's largest score so far; what was summed before shrinks to match.
HWY_INLINE void weigh(std::int64_t count, std::int64_t head_dim, float* HWY_RESTRICT scores, const BlockState& state) {
  const F32 d;
  for (std::int64_t column = 0; column < query_block; column += lanes) {
    auto top = hn::Load(d, scores + column);
    for (std::int64_t key = 1; key < count; ++key) top = hn::Max(top, hn::Load(d, scores + key * query_block + column));
    const auto before = hn::Load(d, state.largest + column);
    const auto largest = hn::Max(before, top);
    const auto reference = hn::Max(largest, hn::Set(d, lowest));
    auto sum = hn::Zero(d);
    for (std::int64_t key = 0; key < count; ++key) {
      float* const score = scores + key * query_block + column;
      const auto weight = exp_of(hn::Sub(hn::Load(d, score), reference));
      hn::Store(weight, d, score);
      sum = hn::Add(sum, weight);
    }
    auto total = hn::Load(d, state.total + column);
    if (!hn::AllFalse(d, hn::Lt(before, largest))) {
      const auto shrink = exp_of(hn::Sub(before, reference));
      total = hn::Mul(total, shrink);
      for (std::int64_t i = 0; i < head_dim; ++i) {
        float* const row = state.sums + i * query_block + column;
        hn::Store(hn::Mul(hn::Load(d, row), shrink), d, row);
      }
      hn::Store(largest, d, state.largest + column);
    }
    hn::Store(hn::Add(total, sum), d, state.total + column);
  }
}

/// One block of queries over the places begin … end, whose rows stand in `keys` and `values`.
HWY_INLINE void attend_block(const PrefillTask& task, const PrefillBlock& block, const PrefillRange& range,
                             std::int64_t begin, std::int64_t end, const float* const* keys, const float* const* values,
                             float* scores, const BlockState& state) {
  const std::int64_t head_dim = task.head_dim;
  const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
  const std::int64_t count = end - begin;
  score_all(keys, count, head_dim, state.queries, scale, scores);
  if (begin < range.full_begin || end > range.full_end) hide_unseen(*task.keys, begin, end, block.first, scores);
  weigh(count, head_dim, scores, state);
  std::int64_t i = 0;
  for (; i + tile_rows <= head_dim; i += tile_rows) add_value_columns<tile_rows>(values, count, i, scores, state.sums);
  for (; i < head_dim; ++i) add_value_columns<1>(values, count, i, scores, state.sums);
}

void begin_block(const PrefillBlock& block, std::int64_t head_dim, const BlockState& state) {
  queries_across_lanes(block.queries, block.rows, head_dim, block.query_stride, state.queries);
  std::fill_n(state.sums, head_dim * query_block, 0.0F);
  std::fill_n(state.largest, query_block, unseen);
  std::fill_n(state.total, query_block, 0.0F);
}

void end_block(const PrefillBlock& block, std::int64_t head_dim, const BlockState& state) {
  const F32 d;
  for (std::int64_t column = 0; column < query_block; column += lanes) {
    const auto inverse = hn::Div(hn::Set(d, 1.0F), hn::Load(d, state.total + column));
    for (std::int64_t i = 0; i < head_dim; ++i) {
      float* const row = state.sums + i * query_block + column;
      hn::Store(hn::Mul(hn::Load(d, row), inverse), d, row);
    }
  }
  transpose(state.sums, query_block, head_dim, block.rows, block.out, block.out_stride);
  for (std::int64_t q = 0; q < block.rows; ++q) {
    block.lse[q * block.lse_stride] = state.largest[q] + std::log(state.total[q]);
  }
}

void prefill_task(const PrefillTask& task) {
  const std::int64_t head_dim = task.head_dim;
  Carver carver(task.scratch);
  const PrefillScratch scratch(head_dim, task.block_count, carver);
  for (std::int64_t index = 0; index < task.block_count; ++index) {
    begin_block(task.blocks[static_cast<std::size_t>(index)], head_dim,
                scratch.blocks[static_cast<std::size_t>(index)]);
  }
  const float* keys[key_block];
  const float* values[key_block];

  for (std::size_t role = 0; role < role_count; ++role) {
    const PrefillRange all = any_block_range(task, role);
    // Cut at fixed places: a block's sums then come in one order, whatever blocks it shares a task with.
    for (std::int64_t start = all.begin / key_block * key_block; start < all.end; start += key_block) {
      const std::int64_t from = std::max(start, all.begin);
      const std::int64_t to = std::min(start + key_block, all.end);
      for (std::int64_t place = from; place < to; ++place) {
        const PrefillKey& key = (*task.keys)[place];
        const bool is_f32 = key.in_chunk || task.dtype == ElementType::f32;
        float* const rows = scratch.converted + 2 * (place - start) * head_dim;
        keys[place - start] = f32_row(key.key, is_f32, head_dim, rows);
        values[place - start] = f32_row(key.value, is_f32, head_dim, rows + head_dim);
      }
      for (std::int64_t index = 0; index < task.block_count; ++index) {
        const PrefillBlock& block = task.blocks[static_cast<std::size_t>(index)];
        const PrefillRange& range = block.ranges[role];
        const std::int64_t begin = std::max(start, range.begin);
        const std::int64_t end = std::min(start + key_block, range.end);
        if (begin >= end) continue;
        attend_block(task, block, range, begin, end, keys + (begin - start), values + (begin - start), scratch.scores,
                     scratch.blocks[static_cast<std::size_t>(index)]);
      }
    }
  }
  for (std::int64_t index = 0; index < task.block_count; ++index) {
    end_block(task.blocks[static_cast<std::size_t>(index)], head_dim, scratch.blocks[static_cast<std::size_t>(index)]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace natscope::kernels::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace natscope::kernels::cpu {

HWY_EXPORT(prefill_task);

namespace {

constexpr double flops_a_ns = 100;  // about what one core does

std::int64_t scratch_bytes(std::int64_t head_dim, std::int64_t blocks) {
  Carver measure;
  PrefillScratch(head_dim, blocks, measure);
  return static_cast<std::int64_t>(measure.used());
}

/// How many blocks of a KV head make a task: many, so that keys are read from memory rarely, but four tasks for every
/// thread.
std::int64_t blocks_a_task(std::int64_t blocks_of_all, std::int64_t head_dim) {
  const std::int64_t in_second_cache = std::max<std::int64_t>(1, 1024 * 1024 / (2 * head_dim * query_block * 4));
  return std::clamp<std::int64_t>(blocks_of_all / (4 * max_threads()), 1,
                                  std::min(most_prefill_blocks, in_second_cache));
}

}  // namespace

Status attention_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys, ConstView<float, 3> values,
                         ConstView<Role, 2> roles, const KvCache& cache, LayerId layer, TokenPos first,
                         View<float, 3> out, View<float, 2> lse, const std::stop_token& stop) try {
  const std::int64_t chunk = queries.size(1);
  const std::int64_t head_dim = queries.size(2);
  const std::int64_t kv_heads = cache.shape().kv_heads;
  const std::int64_t group = queries.size(0) / kv_heads;
  if (chunk == 0) return {};

  std::vector<std::unique_ptr<PrefillKeys>> head_keys(static_cast<std::size_t>(kv_heads));
  std::atomic<bool> out_of_memory{false};
  std::int64_t entries = kv_heads * chunk;
  for (std::int32_t head = 0; head < kv_heads; ++head) entries += cache.entries(layer, KvHeadId(head));
  share_work(kv_heads, 1, static_cast<double>(entries) * 5, [&](int, std::int64_t begin, std::int64_t end) {
    for (std::int64_t head = begin; head < end; ++head) {
      try {
        head_keys[static_cast<std::size_t>(head)] = std::make_unique<PrefillKeys>(
            keys, values, roles, cache, layer, KvHeadId(static_cast<std::int32_t>(head)), first);
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
      }
    }
  });
  if (out_of_memory) return {StatusCode::out_of_memory, "attention_prefill"};

  // Blocks of a KV head: the heads of its group side by side, since they see the same keys.
  const std::int64_t blocks_of_head = (chunk + query_block - 1) / query_block * group;
  const std::int64_t task_blocks = std::min(blocks_of_head, blocks_a_task(blocks_of_head * kv_heads, head_dim));
  const std::int64_t tasks_of_head = (blocks_of_head + task_blocks - 1) / task_blocks;
  const bool tiles = cache.shape().dtype == ElementType::bf16 && tiles_available();
  const std::int64_t task_bytes =
      tiles ? tile_prefill_scratch_bytes(head_dim, task_blocks) : scratch_bytes(head_dim, task_blocks);
  const std::int64_t thread_bytes = round_up(task_bytes, HWY_ALIGNMENT);
  const auto scratch = hwy::AllocateAligned<std::byte>(static_cast<std::size_t>(thread_bytes * max_threads()));
  if (scratch == nullptr) return {StatusCode::out_of_memory, "attention_prefill"};

  const auto run = tiles ? &tile_prefill_task : HWY_DYNAMIC_DISPATCH(prefill_task);
  const auto run_task = [&](int thread, std::int64_t index) {
    const std::int64_t kv_head = index / tasks_of_head;
    // The last blocks see the most keys: the largest tasks come first, so that the end is even.
    const std::int64_t of_head = tasks_of_head - 1 - index % tasks_of_head;
    PrefillTask task;
    task.keys = head_keys[static_cast<std::size_t>(kv_head)].get();
    task.head_dim = head_dim;
    task.dtype = cache.shape().dtype;
    task.scratch = scratch.get() + thread_bytes * thread;
    for (std::int64_t b = of_head * task_blocks; b < std::min((of_head + 1) * task_blocks, blocks_of_head); ++b) {
      const std::int64_t head = kv_head * group + b % group;
      const std::int64_t row = b / group * query_block;
      PrefillBlock& block = task.blocks[static_cast<std::size_t>(task.block_count++)];
      block = {&queries(head, row, 0),
               &out(head, row, 0),
               &lse(head, row),
               queries.stride(1),
               out.stride(1),
               lse.stride(1),
               std::min(query_block, chunk - row),
               first.value + row,
               {}};
      for (int role = 0; role < role_count; ++role) {
        block.ranges[static_cast<std::size_t>(role)] =
            task.keys->range(static_cast<Role>(role), block.first, block.first + block.rows - 1);
      }
    }
    run(task);
  };
  // At most: what is not visible is not looked at.
  const double work = static_cast<double>(entries) * static_cast<double>(group * chunk * head_dim) * 4 / flops_a_ns;
  share_work(kv_heads * tasks_of_head, 1, work, [&](int thread, std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin; index < end && !stop.stop_requested(); ++index) run_task(thread, index);
  });
  return {};
} catch (const std::bad_alloc&) {
  return {StatusCode::out_of_memory, "attention_prefill"};
}

}  // namespace natscope::kernels::cpu
#endif
