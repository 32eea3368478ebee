// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace natscope {
namespace {

constexpr double full_turn = 2.0 * std::numbers::pi;

/// Long wavelengths are stretched by the factor, short ones kept, those between interpolated.
double llama3_frequency(double frequency, const RopeConfig& rope) {
  const double wavelength = full_turn / frequency;
  const double context = rope.original_context;
  if (wavelength < context / rope.high_freq_factor) return frequency;
  if (wavelength > context / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

/// The pairs between which YaRN goes over from frequencies that are kept to stretched ones: those that turn beta_fast
/// and beta_slow times within the original context.
class YarnRamp {
 public:
  YarnRamp(const RopeConfig& rope, int head_dim)
      : first_(pair_turning(rope.beta_fast, rope, head_dim)), last_(pair_turning(rope.beta_slow, rope, head_dim)) {
    if (rope.truncate) {
      first_ = std::floor(first_);
      last_ = std::ceil(last_);
    }
    first_ = std::max(first_, 0.0);
    last_ = std::min(last_, head_dim - 1.0);
    if (first_ == last_) last_ += 0.001;
  }

  /// 0: the frequency of this pair is kept, 1: divided by the factor.
  [[nodiscard]] double stretched(int pair) const { return std::clamp((pair - first_) / (last_ - first_), 0.0, 1.0); }

 private:
  static double pair_turning(double turns, const RopeConfig& rope, int head_dim) {
    return head_dim * std::log(rope.original_context / (turns * full_turn)) / (2.0 * std::log(rope.theta));
  }

  double first_, last_;
};

/// In f32, as transformers holds them.
double longrope_factor(const RopeConfig& rope, int pair) {
  const std::vector<double>& factors = rope.beyond_original ? rope.long_factor : rope.short_factor;
  return static_cast<double>(static_cast<float>(factors[static_cast<std::size_t>(pair)]));
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(const RopeConfig& rope, int head_dim)
    : attention_factor_(rope.kind == RopeKind::yarn || rope.kind == RopeKind::longrope ? rope.attention_factor : 1.0) {
  const int rotated = static_cast<int>(head_dim * rope.rotated_part);
  frequencies_.reserve(static_cast<std::size_t>(rotated / 2));
  for (int pair = 0; pair < rotated / 2; ++pair) {
    double frequency = std::pow(rope.theta, -2.0 * pair / rotated);
    if (rope.kind == RopeKind::linear) frequency /= rope.factor;
    if (rope.kind == RopeKind::llama3) frequency = llama3_frequency(frequency, rope);
    if (rope.kind == RopeKind::yarn) {
      const double stretched = YarnRamp(rope, rotated).stretched(pair);
      frequency *= stretched / rope.factor + (1.0 - stretched);
    }
    if (rope.kind == RopeKind::longrope) frequency /= longrope_factor(rope, pair);
    frequencies_.push_back(static_cast<float>(frequency));
  }
}

RotaryEmbedding::RotaryEmbedding(const ModelConfig& config) : RotaryEmbedding(config.rope, config.head_dim) {
  if (config.attention_multiplier)
    attention_factor_ *= std::sqrt(*config.attention_multiplier * std::sqrt(config.head_dim));
}

void RotaryEmbedding::at(std::int64_t position, float* cosine, float* sine) const {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    const double angle = static_cast<double>(position) * static_cast<double>(frequencies_[i]);
    cosine[i] = static_cast<float>(attention_factor_ * std::cos(angle));
    sine[i] = static_cast<float>(attention_factor_ * std::sin(angle));
  }
}

void RotaryEmbedding::tables(std::int64_t first, std::int64_t n, float* cosines, float* sines) const {
  for (std::int64_t row = 0; row < n; ++row) at(first + row, cosines + row * pairs(), sines + row * pairs());
}

int rope_context(const RopeConfig& rope, int context) {
  if (rope.kind != RopeKind::yarn) return context;
  const double stretched = std::min(rope.factor * rope.original_context, static_cast<double>(max_model_context));
  return std::max(context, static_cast<int>(stretched));
}

}  // namespace natscope
