// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/model/config.h"
#include "core/model/rope.h"
#include "kernels/ids.h"

namespace natscope {

/// Cosines and sines of the positions of one pass. Angles are taken in double: at position 100 000 an f32 angle would
/// be off by more than the numbers that it turns.
class Rotation {
 public:
  explicit Rotation(const ModelConfig& config) : frequencies_(rope_inverse_frequencies(config.rope, config.head_dim)) {}

  /// Makes the tables of positions first … first + n - 1.
  void set(TokenPos first, std::int64_t n) {
    const std::size_t half = frequencies_.size();
    cosine_.resize(half * static_cast<std::size_t>(n));
    sine_.resize(cosine_.size());
    for (std::size_t row = 0; row < static_cast<std::size_t>(n); ++row) {
      for (std::size_t i = 0; i < half; ++i) {
        const double angle =
            (static_cast<double>(first.value) + static_cast<double>(row)) * static_cast<double>(frequencies_[i]);
        cosine_[row * half + i] = static_cast<float>(std::cos(angle));
        sine_[row * half + i] = static_cast<float>(std::sin(angle));
      }
    }
  }

  /// [head_dim / 2] of the row-th position.
  [[nodiscard]] const float* cosine(std::int64_t row) const {
    return cosine_.data() + row * static_cast<std::int64_t>(frequencies_.size());
  }
  [[nodiscard]] const float* sine(std::int64_t row) const {
    return sine_.data() + row * static_cast<std::int64_t>(frequencies_.size());
  }

 private:
  std::vector<float> frequencies_;
  std::vector<float> cosine_;
  std::vector<float> sine_;
};

}  // namespace natscope
