// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/model/rope.h"

#include <cmath>
#include <numbers>

namespace natscope {
namespace {

/// Long wavelengths are stretched by the factor, short ones kept, those between interpolated.
double llama3_frequency(double frequency, const RopeConfig& rope) {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double context = rope.original_context;
  if (wavelength < context / rope.high_freq_factor) return frequency;
  if (wavelength > context / rope.low_freq_factor) return frequency / rope.factor;
  const double smooth = (context / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace

std::vector<float> rope_inverse_frequencies(const RopeConfig& rope, int head_dim) {
  std::vector<float> result;
  result.reserve(static_cast<std::size_t>(head_dim / 2));
  for (int i = 0; i < head_dim; i += 2) {
    double frequency = std::pow(rope.theta, -static_cast<double>(i) / head_dim);
    if (rope.kind == RopeKind::linear) frequency /= rope.factor;
    if (rope.kind == RopeKind::llama3) frequency = llama3_frequency(frequency, rope);
    result.push_back(static_cast<float>(frequency));
  }
  return result;
}

}  // namespace natscope
