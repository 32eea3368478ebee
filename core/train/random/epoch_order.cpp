// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/random/epoch_order.h"

#include <numeric>

#include "core/train/random/counter_random.h"

namespace natscope::train {

std::size_t EpochOrder::operator[](std::int64_t n) {
  const auto count = static_cast<std::int64_t>(count_);
  if (n / count != epoch_) {
    epoch_ = n / count;
    order_.resize(count_);
    std::iota(order_.begin(), order_.end(), 0U);
    const CounterRandom random(seed_, purpose_, static_cast<std::uint64_t>(epoch_));
    shuffle(std::span(order_), [&random](std::size_t i) { return random.below(i, static_cast<std::uint32_t>(i)); });
  }
  return order_[static_cast<std::size_t>(n % count)];
}

}  // namespace natscope::train
