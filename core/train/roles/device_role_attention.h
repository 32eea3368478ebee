// SPDX-License-Identifier: GPL-3.0-or-later
/// Attention under sampled roles as one differentiable operation on tensors of any device. Private to core/train.
///
/// The same arithmetic as role_sampling.h and kernels/attention_train.h; between the two everything is LibTorch's, so
/// that it runs where the tensors are. Noise comes from the same numbers on every device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/train/options/train_options.h"
#include "core/train/random/counter_random.h"
#include "core/train/roles/training_attention.h"
#include "kernels/element_type.h"
#include "kernels/token_roles.h"

namespace natscope::train {

/// Gumbel noise of a layer, f32 [B, T, K, 3] on `device`: what sample_roles() draws, but for its logarithms' rounding.
[[nodiscard]] at::Tensor role_noise(std::int64_t segments, std::int64_t context, std::int64_t kv_heads,
                                    const CounterRandom& random, std::int64_t first_row, at::Device device);

/// What inference chooses: u8 [B, K, T] of scores [B, T, K, 3].
[[nodiscard]] at::Tensor chosen_roles(const at::Tensor& scores, double global_bias);

struct DeviceRoleSetup {
  TrainingAttention* attention = nullptr;
  std::int64_t window = 0;
  double applied_sparsity = 0.0;
  LocalCharge local_charge = LocalCharge::sampled;
  kernels::ElementType dtype = kernels::ElementType::f32;
  at::Tensor noise;   ///< role_noise(); undefined: nothing is sampled
  at::Tensor roles;   ///< u8 [B, K, T]: where nothing is sampled, the roles that hold; else set to what was drawn
  at::Tensor chosen;  ///< u8 [B, K, T]: what locals are charged by with LocalCharge::argmax
};

/// out [B, H, T, D] from q [B, H, T, D], k, v [B, K, T, D], rotated, f32 and packed, and scores [B, T, K, 3] (undefined
/// where nothing is sampled). `setup` must live until the gradient is taken.
///
/// The gradient of `scores` is the straight-through one of sections 3, 6 and 7 of the rules, the regulariser included;
/// positions 0 and T − 1 get none. Throws std::bad_alloc, or std::runtime_error with the kernel's words.
[[nodiscard]] at::Tensor device_role_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                               const at::Tensor& scores, DeviceRoleSetup& setup);

}  // namespace natscope::train
