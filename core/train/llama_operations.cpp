// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/llama_operations.h"

#include <cmath>

namespace natscope::train {

at::Tensor rms_normalised(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor scale = at::rsqrt(x.square().mean(-1, true) + epsilon);
  return x * scale * weight.to(at::kFloat);
}

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type) {
  return at::linear(x.to(type), weight.to(type)).to(at::kFloat);
}

Rotation make_rotation(const std::vector<float>& frequencies, std::int64_t positions, at::Device device) {
  const auto half = static_cast<std::int64_t>(frequencies.size());
  at::Tensor cosine = at::empty({1, positions, 1, half}, at::kFloat);
  at::Tensor sine = at::empty_like(cosine);
  auto* const cosines = static_cast<float*>(cosine.data_ptr());
  auto* const sines = static_cast<float*>(sine.data_ptr());
  for (std::int64_t position = 0; position < positions; ++position) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle =
          static_cast<double>(position) * static_cast<double>(frequencies[static_cast<std::size_t>(i)]);
      cosines[position * half + i] = static_cast<float>(std::cos(angle));
      sines[position * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return {cosine.to(device), sine.to(device)};
}

at::Tensor rotated(const at::Tensor& x, const Rotation& rotation) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor cosine = rotation.cosine.narrow(1, 0, x.size(1)), sine = rotation.sine.narrow(1, 0, x.size(1));
  const at::Tensor low = x.narrow(-1, 0, half), high = x.narrow(-1, half, half);
  return at::cat({low * cosine - high * sine, high * cosine + low * sine}, -1).transpose(1, 2);
}

}  // namespace natscope::train
