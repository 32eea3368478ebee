// SPDX-License-Identifier: GPL-3.0-or-later
/// The parts of a Llama layer in LibTorch's operations, differentiable, for tensors of any device. Private to
/// core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/model/rope.h"

namespace natscope::train {

/// RMSNorm over the last dimension: x f32, weight [E] of any type; f32.
[[nodiscard]] at::Tensor rms_normalised(const at::Tensor& x, const at::Tensor& weight, double epsilon);

/// x · weightᵀ with operands rounded (or widened) to `type`; of that type, or widened to f32.
[[nodiscard]] at::Tensor rounded_product(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type);
[[nodiscard]] at::Tensor product(const at::Tensor& x, const at::Tensor& weight, at::ScalarType type);

/// silu(gate) · up of gate_up [N, 2I], computed in f32; [N, I] of the type of gate_up.
[[nodiscard]] at::Tensor swiglu(const at::Tensor& gate_up);

/// Cosines and sines of positions 0 … T − 1: f32 [1, T, 1, R/2] each, of the first R numbers of a head.
struct RotationTensors {
  at::Tensor cosine, sine;

  [[nodiscard]] std::int64_t positions() const { return cosine.defined() ? cosine.size(1) : 0; }
};

[[nodiscard]] RotationTensors make_rotation(const RotaryEmbedding& embedding, std::int64_t positions,
                                            at::Device device);

/// x [B, T, heads, D] rotated (halves layout; its first R numbers, the others stay), as [B, heads, T, D], packed; T at
/// most rotation.positions().
[[nodiscard]] at::Tensor rotated(const at::Tensor& x, const RotationTensors& rotation);

}  // namespace natscope::train
