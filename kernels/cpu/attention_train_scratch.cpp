// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_scratch.h"

#include <algorithm>
#include <array>

namespace natscope::kernels::cpu {

KeyOrder::KeyOrder(const TrainShape& shape, Carver& carver)
    : position(carver.take<std::int32_t>(shape.padded_length)),
      last(carver.take<std::int32_t>(shape.padded_length)),
      next_end(carver.take<std::int32_t>(shape.padded_length)),
      window_end(carver.take<std::int32_t>(shape.padded_length)),
      second_end(carver.take<std::int32_t>(shape.padded_length)),
      next(carver.take<std::int32_t>(shape.padded_length)) {}

void KeyOrder::build(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head,
                     const TrainShape& shape) {
  const auto end = static_cast<std::int32_t>(shape.length - 1);
  const Role* const roles = &inputs.roles(batch, kv_head, 0);
  const std::int64_t step = inputs.roles.stride(2);
  std::int32_t nearest = no_next_global;
  for (std::int64_t n = shape.length; n-- > 0;) {
    next[n] = nearest;
    if (roles[n * step] == Role::global) nearest = static_cast<std::int32_t>(n);
  }

  const auto reach = [&](std::int32_t n) {
    const std::int64_t query = last_query_that_sees(roles[n * step], TokenPos(n), next[n], inputs.window);
    return static_cast<std::int32_t>(std::min<std::int64_t>(query, end));
  };
  const auto put = [&](std::int64_t place, std::int32_t n, std::int32_t seen_until) {
    position[place] = n;
    last[place] = seen_until;
    next_end[place] = std::min(next[n], end);
    window_end[place] = static_cast<std::int32_t>(std::min<std::int64_t>(n + inputs.window, end));
    const bool ended = roles[n * step] == Role::local && next[n] != no_next_global;
    second_end[place] = ended ? std::min(next[next[n]], end) : next_end[place];
  };

  // Among locals and among sliding tokens the later one is seen longer: a block is its globals, then those two merged from behind.
  std::array<std::int32_t, train_block> locals;
  std::array<std::int32_t, train_block> sliding;
  for (std::int64_t begin = 0; begin < shape.padded_length; begin += train_block) {
    std::int64_t place = begin;
    std::size_t local_count = 0;
    std::size_t sliding_count = 0;
    for (auto n = static_cast<std::int32_t>(begin); n <= end && n < begin + train_block; ++n) {
      switch (roles[n * step]) {
        case Role::global:
          put(place++, n, end);
          break;
        case Role::local:
          locals[local_count++] = n;
          break;
        case Role::sliding:
          sliding[sliding_count++] = n;
          break;
      }
    }
    while (local_count + sliding_count > 0) {
      const std::int32_t local_reach = local_count > 0 ? reach(locals[local_count - 1]) : -1;
      const std::int32_t sliding_reach = sliding_count > 0 ? reach(sliding[sliding_count - 1]) : -1;
      const std::int32_t n = local_reach >= sliding_reach ? locals[--local_count] : sliding[--sliding_count];
      put(place++, n, std::max(local_reach, sliding_reach));
    }
    for (; place < begin + train_block; ++place) {
      position[place] = static_cast<std::int32_t>(shape.padded_length);
      last[place] = next_end[place] = window_end[place] = second_end[place] = -1;
    }
  }
}

std::int64_t KeyOrder::seen_from(std::int64_t block, std::int64_t query) const {
  const std::int32_t* const first = last + block * train_block;
  return std::partition_point(first, first + train_block, [query](std::int32_t reach) { return reach >= query; }) -
         first;
}

RoleSums::RoleSums(const TrainShape& shape, Carver& carver)
    : total(carver.take<double>(shape.padded_length)),
      to_next(carver.take<double>(shape.padded_length)),
      to_window(carver.take<double>(shape.padded_length)),
      to_second(carver.take<double>(shape.padded_length)),
      cut(carver.take<double>(shape.padded_length)) {}

void RoleSums::clear(const TrainShape& shape) const {
  for (double* const sums : {total, to_next, to_window, to_second, cut})
    std::fill(sums, sums + shape.padded_length, 0.0);
}

void RoleSums::write(const AttentionTrainInputs& inputs, const AttentionTrainGradients& gradients, std::int64_t batch,
                     std::int64_t kv_head, const TrainShape& shape, const KeyOrder& order) const {
  for (std::int64_t place = 0; place < shape.padded_length; ++place) {
    if (order.last[place] < 0) continue;
    const std::int32_t n = order.position[place];
    const bool ended = inputs.roles(batch, kv_head, n) == Role::local && order.next[n] != no_next_global;
    if (ended) cut[order.next[n]] += to_second[place] - to_next[place];
  }
  const auto length = static_cast<double>(shape.length);
  const double lambda = gradients.sparse_regularized_value;
  for (std::int64_t place = 0; place < shape.padded_length; ++place) {
    if (order.last[place] < 0) continue;
    const std::int32_t n = order.position[place];
    gradients.d_roles(batch, kv_head, n, 0) =
        static_cast<float>(total[place] - cut[n] + lambda * (length - n) / length);
    gradients.d_roles(batch, kv_head, n, 1) =
        static_cast<float>(to_next[place] + lambda * (order.next_end[place] - n) / length);
    gradients.d_roles(batch, kv_head, n, 2) = static_cast<float>(to_window[place]);
  }
}

}  // namespace natscope::kernels::cpu
