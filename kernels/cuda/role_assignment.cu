// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/role_assignment.h"

#include "kernels/cuda/kernel_launch.cuh"

namespace natscope::kernels::cuda {

namespace {

constexpr int role_threads = 256;

/// roles(kv_head, row) = of(kv_head, row), a thread each.
template <class Of>
__global__ void __launch_bounds__(role_threads) role_kernel(View<Role, 2> roles, Of of) {
  const std::int64_t index = static_cast<std::int64_t>(blockIdx.x) * role_threads + threadIdx.x;
  const std::int64_t rows = roles.sizes[1];
  if (index >= roles.sizes[0] * rows) return;
  const std::int64_t kv_head = index / rows;
  const std::int64_t row = index % rows;
  roles.data[kv_head * roles.strides[0] + row * roles.strides[1]] = of(kv_head, row);
}

struct FromPrescription {
  ConstView<Role, 2> prescribed;
  ConstView<float, 2> scores;
  float global_bias;
  __device__ Role operator()(std::int64_t kv_head, std::int64_t row) const {
    return role_of(prescribed.data[kv_head * prescribed.strides[0] + row * prescribed.strides[1]],
                   scores.data + row * scores.strides[0] + role_count * kv_head, global_bias);
  }
};

template <class Of>
Status assign(View<Role, 2> roles, const Of& of, Stream stream) {
  const std::int64_t count = roles.size(0) * roles.size(1);
  if (count == 0) return {};
  return launch_kernel(role_kernel<Of>, blocks_for(count, role_threads), role_threads, 0, stream, roles, of);
}

}  // namespace

Status assign_prescribed_roles(ConstView<Role, 2> prescribed, ConstView<float, 2> scores, float global_bias,
                               View<Role, 2> roles, Stream stream) {
  if (prescribed.sizes != roles.sizes) return {StatusCode::shape_mismatch, "prescribed roles: [kv_heads, n]"};
  if (scores.data != nullptr &&
      (scores.size(0) != roles.size(1) || scores.size(1) != role_count * roles.size(0) || scores.stride(1) != 1))
    return {StatusCode::shape_mismatch, "scores: [n, 3 * kv_heads]"};
  return assign(roles, FromPrescription{prescribed, scores, global_bias}, stream);
}

}  // namespace natscope::kernels::cuda
