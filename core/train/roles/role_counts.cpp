// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/role_counts.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include "kernels/token_roles.h"

namespace natscope::train {

at::Tensor role_sums(const at::Tensor& roles, std::int64_t segments, std::int64_t length, std::int64_t window) {
  const at::Tensor counted = roles.narrow(0, 0, segments).narrow(2, 0, length);
  const at::Tensor position = at::arange(length, counted.options().dtype(at::kLong));
  const auto having = [&counted](Role role) { return counted == static_cast<std::int64_t>(role); };
  const at::Tensor global = having(Role::global), local = having(Role::local), sliding = having(Role::sliding);
  // held_after() for the last token: a local is held where no global comes behind it, a sliding one inside the window.
  const at::Tensor last_global = at::where(global, position, -1).amax(2, /*keepdim=*/true);
  const at::Tensor held = global | (local & (position > last_global)) | (sliding & (position + window >= length));
  return at::stack({global, local, sliding, held}, 3).sum(at::IntArrayRef{0, 2}, false, at::kLong);
}

void count_roles(const at::Tensor& roles, std::int64_t segments, std::int64_t length, std::int64_t window,
                 HeadRoles* sums) {
  const std::int64_t heads = roles.size(1);
  if (!roles.is_cpu()) {
    const at::Tensor here = role_sums(roles, segments, length, window).cpu();
    const auto counts = here.accessor<std::int64_t, 2>();
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::size_t role = 0; role < role_count; ++role)
        sums[head].tokens[role] += counts[head][static_cast<std::int64_t>(role)];
      sums[head].held += counts[head][role_count];
      sums[head].dense += segments * length;
    }
    return;
  }
  const auto* const data = static_cast<const Role*>(roles.data_ptr());
#pragma omp parallel for schedule(static)
  for (std::int64_t head = 0; head < heads; ++head) {
    for (std::int64_t segment = 0; segment < segments; ++segment)
      count_segment({data + (segment * heads + head) * roles.size(2), static_cast<std::size_t>(length)}, window,
                    sums[head]);
  }
}

}  // namespace natscope::train
