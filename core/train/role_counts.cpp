// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/role_counts.h"

#include "kernels/token_roles.h"

namespace natscope::train {

void count_roles(const at::Tensor& roles, std::int64_t segments, std::int64_t window, HeadRoles* sums) {
  const at::Tensor here = roles.cpu();
  const auto* data = static_cast<const Role*>(here.data_ptr());
  const auto length = static_cast<std::size_t>(here.size(2));
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    for (std::int64_t head = 0; head < here.size(1); ++head, data += length) {
      count_segment({data, length}, window, sums[head]);
    }
  }
}

}  // namespace natscope::train
