// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/role_counts.h"

#include "kernels/token_roles.h"

namespace natscope::train {

void count_roles(const at::Tensor& roles, std::int64_t segments, std::int64_t window, HeadRoles* sums) {
  const at::Tensor here = roles.cpu();
  const auto* const data = static_cast<const Role*>(here.data_ptr());
  const std::int64_t heads = here.size(1);
  const auto length = static_cast<std::size_t>(here.size(2));
#pragma omp parallel for schedule(static)
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t segment = 0; segment < segments; ++segment)
      count_segment({data + static_cast<std::size_t>(segment * heads + head) * length, length}, window, sums[head]);
  }
}

}  // namespace natscope::train
