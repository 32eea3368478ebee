// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace natscope::test {

/// The largest difference to the truth; infinite where a NaN stands or the sizes differ.
template <class A, class B>
[[nodiscard]] double largest_error(std::span<const A> values, std::span<const B> truth) {
  if (values.size() != truth.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t index = 0; index < values.size(); ++index) {
    const double error = std::abs(static_cast<double>(values[index]) - static_cast<double>(truth[index]));
    if (!(error <= std::numeric_limits<double>::max())) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, error);
  }
  return largest;
}

template <class B>
[[nodiscard]] double largest_magnitude(std::span<const B> values) {
  double largest = 0;
  for (const B value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// What a fast computation may be off by: twice what a plain one in the same precision is. Where the plain one happens
/// to hit the truth, two roundings of the largest number are still allowed.
[[nodiscard]] inline double allowed_error(double plain_error, double magnitude) {
  return std::max(2 * plain_error, 2 * magnitude * static_cast<double>(std::numeric_limits<float>::epsilon()));
}

}  // namespace natscope::test
