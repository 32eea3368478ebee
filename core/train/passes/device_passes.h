// SPDX-License-Identifier: GPL-3.0-or-later
/// The forward and backward pass of a NAtS Llama in LibTorch's own operations, on any device that it knows. Private to
/// core/train.
///
/// What cpu_passes.h is for the CPU: the same rules, weights, noise and roundings, so that a run may go on elsewhere.
/// Gradients are taken by autograd, but for attention and its roles (device_role_attention.h). Weights, gradient and
/// moments live on the device (device_training_state.h); a caller that brings an array for the gradient gets it there,
/// once a pass.
#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "core/train/passes/training_passes.h"
#include "core/train/roles/training_attention.h"

namespace natscope::train {

/// `mask`: of every head where `config` has no score layers. May throw what LibTorch throws.
[[nodiscard]] std::unique_ptr<TrainingPasses> make_device_passes(const ModelConfig& config, kernels::ElementType dtype,
                                                                 int segments, at::Device device,
                                                                 std::unique_ptr<TrainingAttention> attention,
                                                                 const FixedMask& mask);

}  // namespace natscope::train
