// SPDX-License-Identifier: GPL-3.0-or-later
/// The order in which a run reads its text.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace natscope::train {

/// Fisher and Yates' shuffle; `draw(n)` is below n, and drawn once for each n from values.size() down to 2.
template <class T, class Draw>
void shuffle(std::span<T> values, const Draw& draw) {
  for (std::size_t n = values.size(); n > 1; --n) std::swap(values[n - 1], values[draw(n)]);
}

/// Deals `count` things out, each once an epoch, in an order that only the seed and the purpose decide.
class EpochOrder {
 public:
  /// `purpose`: of random_purpose.
  EpochOrder(std::size_t count, std::uint64_t seed, std::uint64_t purpose)
      : count_(count), seed_(seed), purpose_(purpose) {}

  /// Index of the n-th thing of the run. Any order of n is right; going up is cheap, since an epoch's order is kept.
  [[nodiscard]] std::size_t operator[](std::int64_t n);

 private:
  std::size_t count_;
  std::uint64_t seed_, purpose_;
  std::int64_t epoch_ = -1;
  std::vector<std::uint32_t> order_;
};

}  // namespace natscope::train
