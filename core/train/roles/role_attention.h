// SPDX-License-Identifier: GPL-3.0-or-later
/// Attention under roles as one differentiable operation of LibTorch's. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/train/random/counter_random.h"
#include "core/train/roles/role_statistics.h"
#include "kernels/element_type.h"

namespace natscope::train {

/// How a layer's roles come about.
enum class RoleChoice { all_global, sampled, argmax };

struct RoleAttentionSetup {
  RoleChoice choice = RoleChoice::all_global;
  CounterRandom noise{0, random_purpose::role_noise};  ///< sampled
  std::int64_t first_row = 0;
  float global_bias = 0.0F;  ///< argmax
  std::int64_t window = 0;
  double applied_sparsity = 0.0;
  kernels::ElementType dtype = kernels::ElementType::f32;
  HeadRoles* sampled = nullptr;  ///< [kv_heads], added to when set
  HeadRoles* argmax = nullptr;
};

/// out [H, T, D] from q [H, T, D], k, v [K, T, D], rotated, all f32, and scores [T, 3K] (undefined with all_global).
///
/// The gradient of `scores` is the straight-through one of sections 3, 6 and 7 of the rules, the regulariser included;
/// positions 0 and T − 1 get none. Throws std::bad_alloc, or std::runtime_error with the kernel's words.
[[nodiscard]] at::Tensor role_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                        const at::Tensor& scores, const RoleAttentionSetup& setup);

}  // namespace natscope::train
