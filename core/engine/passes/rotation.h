// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/config.h"
#include "core/model/rope.h"
#include "kernels/ids.h"

namespace natscope {

/// Cosines and sines of the positions of one pass.
class Rotation {
 public:
  explicit Rotation(const ModelConfig& config) : embedding_(config) {}

  /// Pairs of a head that are turned.
  [[nodiscard]] std::int64_t pairs() const { return embedding_.pairs(); }
  /// Makes the tables of positions first … first + n - 1.
  void set(TokenPos first, std::int64_t n);

  /// [pairs()] of the row-th position.
  [[nodiscard]] const float* cosine(std::int64_t row) const { return cosine_.data() + row * embedding_.pairs(); }
  [[nodiscard]] const float* sine(std::int64_t row) const { return sine_.data() + row * embedding_.pairs(); }

 private:
  RotaryEmbedding embedding_;
  std::vector<float> cosine_;
  std::vector<float> sine_;
};

}  // namespace natscope
