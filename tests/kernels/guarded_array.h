// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace natscope::test {

/// An output that starts as NaN, between two guard zones: what was not written and what was written outside both show.
class GuardedArray {
 public:
  explicit GuardedArray(std::int64_t size)
      : size_(static_cast<std::size_t>(size)), storage_(size_ + 2 * guard_size, guard_value) {
    std::fill_n(storage_.begin() + guard_size, size_, std::numeric_limits<float>::quiet_NaN());
  }

  [[nodiscard]] float* data() { return storage_.data() + guard_size; }
  [[nodiscard]] std::span<float> span() { return {data(), size_}; }
  [[nodiscard]] std::span<const float> span() const { return {storage_.data() + guard_size, size_}; }
  [[nodiscard]] float operator[](std::int64_t index) const { return span()[static_cast<std::size_t>(index)]; }

  [[nodiscard]] bool guards_hold() const {
    return std::all_of(storage_.begin(), storage_.begin() + guard_size, is_guard) &&
           std::all_of(storage_.end() - guard_size, storage_.end(), is_guard);
  }
  [[nodiscard]] bool all_written() const {
    return std::none_of(span().begin(), span().end(), [](float number) { return std::isnan(number); });
  }

 private:
  static constexpr std::ptrdiff_t guard_size = 64;
  static constexpr float guard_value = -12345.75F;
  static bool is_guard(float number) { return number == guard_value; }

  std::size_t size_;
  std::vector<float> storage_;
};

}  // namespace natscope::test
