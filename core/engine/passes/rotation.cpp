// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/rotation.h"

#include "kernels/shared_work.h"

namespace natscope {

void Rotation::set(TokenPos first, std::int64_t n) {
  constexpr double angle_ns = 30;
  const std::int64_t pairs = embedding_.pairs();
  cosine_.resize(static_cast<std::size_t>(pairs * n));
  sine_.resize(cosine_.size());
  kernels::share_rows(n, angle_ns * static_cast<double>(pairs), [&](std::int64_t row) {
    embedding_.at(first.value + row, cosine_.data() + row * pairs, sine_.data() + row * pairs);
  });
}

}  // namespace natscope
