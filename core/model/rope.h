// SPDX-License-Identifier: GPL-3.0-or-later
/// Rotary position embedding: what turns the pair (i, i + R/2) of a head's first R numbers at a position; R is D,
/// unless only a part of each head is turned.
///
/// The halves layout is Hugging Face's (rotate_half): out[i] = x[i]·cos − x[i + R/2]·sin,
/// out[i + R/2] = x[i + R/2]·cos + x[i]·sin.
/// Source: transformers, modeling_rope_utils.py (default, linear, llama3, yarn, longrope); YaRN: Peng et al., arXiv
/// 2309.00071; LongRoPE: Ding et al., arXiv 2402.13753.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/config.h"

namespace natscope {

class RotaryEmbedding {
 public:
  RotaryEmbedding(const RopeConfig& rope, int head_dim);
  /// With the model's attention_multiplier: queries and keys are scaled, each by the root of what that is more than
  /// 1/sqrt(D), so that attention's scores come out right of kernels that scale them by 1/sqrt(D). Cosines and sines
  /// are rounded once, after that; no number is rounded more often than without.
  explicit RotaryEmbedding(const ModelConfig& config);

  /// R/2.
  [[nodiscard]] std::int64_t pairs() const { return static_cast<std::int64_t>(frequencies_.size()); }

  /// Cosines and sines of one position, [pairs] each, times the attention factor. Angles are taken in double: at
  /// position 100 000 an f32 angle would be off by more than the numbers that it turns.
  void at(std::int64_t position, float* cosine, float* sine) const;

  /// The same of positions first … first + n − 1: [n, pairs] each.
  void tables(std::int64_t first, std::int64_t n, float* cosines, float* sines) const;

  /// [pairs], radians per position, computed in double and rounded to f32 as transformers holds them.
  [[nodiscard]] const std::vector<float>& frequencies() const { return frequencies_; }

 private:
  std::vector<float> frequencies_;
  double attention_factor_;  // what queries and keys are scaled by, each
};

/// The longest text that such a rotation is made for: `context`, or what YaRN stretches the original one to.
[[nodiscard]] int rope_context(const RopeConfig& rope, int context);

}  // namespace natscope
