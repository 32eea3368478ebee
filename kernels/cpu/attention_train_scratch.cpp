// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attention_train_scratch.h"

#include <algorithm>
#include <array>

namespace natscope::kernels::cpu {

KeyOrder::KeyOrder(const TrainShape& shape, Carver& carver)
    : position(carver.take<std::int32_t>(shape.padded_length)), last(carver.take<std::int32_t>(shape.padded_length)),
      next_end(carver.take<std::int32_t>(shape.padded_length)), window_end(carver.take<std::int32_t>(shape.padded_length)),
      second_end(carver.take<std::int32_t>(shape.padded_length)), next(carver.take<std::int32_t>(shape.padded_length)) {}

void KeyOrder::build(const AttentionTrainInputs& inputs, std::int64_t batch, std::int64_t kv_head, const TrainShape& shape) {
  const auto end = static_cast<std::int32_t>(shape.length - 1);
  std::int32_t nearest = no_next_global;
  for (std::int64_t n = shape.length; n-- > 0;) {
    next[n] = nearest;
    if (inputs.roles(batch, kv_head, n) == Role::global) nearest = static_cast<std::int32_t>(n);
  }

  struct Place {
    std::int32_t last;
    std::int32_t position;
  };
  std::array<Place, train_block> places;
  for (std::int64_t begin = 0; begin < shape.padded_length; begin += train_block) {
    for (std::int64_t i = 0; i < train_block; ++i) {
      const std::int64_t n = begin + i;
      Place& place = places[static_cast<std::size_t>(i)];
      place = {-1, static_cast<std::int32_t>(shape.padded_length)};
      if (n >= shape.length) continue;
      const auto at = static_cast<std::int32_t>(n);
      const std::int64_t reach = last_query_that_sees(inputs.roles(batch, kv_head, n), TokenPos(at), next[n], inputs.window);
      place = {static_cast<std::int32_t>(std::min<std::int64_t>(reach, end)), at};
    }
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.last != b.last ? a.last > b.last : a.position < b.position; });
    for (std::int64_t i = 0; i < train_block; ++i) {
      const Place& place = places[static_cast<std::size_t>(i)];
      const std::int64_t at = begin + i;
      position[at] = place.position;
      last[at] = place.last;
      next_end[at] = window_end[at] = second_end[at] = -1;
      if (place.last < 0) continue;
      const std::int32_t global = next[place.position];
      next_end[at] = std::min(global, end);
      window_end[at] = static_cast<std::int32_t>(std::min<std::int64_t>(place.position + inputs.window, end));
      const bool ended = inputs.roles(batch, kv_head, place.position) == Role::local && global != no_next_global;
      second_end[at] = ended ? std::min(next[global], end) : next_end[at];
    }
  }
}

std::int64_t KeyOrder::seen_from(std::int64_t block, std::int64_t query) const {
  const std::int32_t* const first = last + block * train_block;
  return std::partition_point(first, first + train_block, [query](std::int32_t reach) { return reach >= query; }) - first;
}

RoleSums::RoleSums(const TrainShape& shape, Carver& carver)
    : total(carver.take<double>(shape.padded_length)), to_next(carver.take<double>(shape.padded_length)),
      to_window(carver.take<double>(shape.padded_length)), to_second(carver.take<double>(shape.padded_length)),
      cut(carver.take<double>(shape.padded_length)) {}

void RoleSums::clear(const TrainShape& shape) const {
  for (double* const sums : {total, to_next, to_window, to_second, cut}) std::fill(sums, sums + shape.padded_length, 0.0);
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
    gradients.d_roles(batch, kv_head, n, 0) = static_cast<float>(total[place] - cut[n] + lambda * (length - n) / length);
    gradients.d_roles(batch, kv_head, n, 1) = static_cast<float>(to_next[place] + lambda * (order.next_end[place] - n) / length);
    gradients.d_roles(batch, kv_head, n, 2) = static_cast<float>(to_window[place]);
  }
}

}  // namespace natscope::kernels::cpu
