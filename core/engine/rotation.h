// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

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
  void set(TokenPos first, std::int64_t n);

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
