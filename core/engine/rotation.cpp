// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/rotation.h"

#include <cmath>

#include "kernels/shared_work.h"

namespace natscope {

void Rotation::set(TokenPos first, std::int64_t n) {
  constexpr double angle_ns = 30;
  const auto half = static_cast<std::int64_t>(frequencies_.size());
  cosine_.resize(static_cast<std::size_t>(half * n));
  sine_.resize(cosine_.size());
  kernels::share_rows(n, angle_ns * static_cast<double>(half), [&](std::int64_t row) {
    float* const cosine = cosine_.data() + row * half;
    float* const sine = sine_.data() + row * half;
    for (std::int64_t i = 0; i < half; ++i) {
      const double angle = (static_cast<double>(first.value) + static_cast<double>(row)) *
                           static_cast<double>(frequencies_[static_cast<std::size_t>(i)]);
      cosine[i] = static_cast<float>(std::cos(angle));
      sine[i] = static_cast<float>(std::sin(angle));
    }
  });
}

}  // namespace natscope
