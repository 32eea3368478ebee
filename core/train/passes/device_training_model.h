// SPDX-License-Identifier: GPL-3.0-or-later
/// The forward and backward pass of a NAtS Llama in LibTorch's own operations, on any device that it knows. Private to
/// core/train.
///
/// What TrainingModel's hand-written passes are on the CPU: the same rules, weights, noise and roundings, so that a run
/// may go on elsewhere. Gradients are taken by autograd, but for attention and its roles (device_role_attention.h).
/// Weights, gradient and moments live on the device (state_on_device.h); a caller that brings an array for the gradient
/// gets it there, once a pass.
#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <vector>

#include "core/base/expected.h"
#include "core/train/passes/training_model.h"
#include "core/train/passes/training_passes.h"
#include "core/train/roles/training_attention.h"
#include "kernels/token_roles.h"

namespace natscope::train {

/// `fixed_roles` [T] and `fixed_window`: of every head where `config` has no score layers. May throw what LibTorch
/// throws.
[[nodiscard]] std::unique_ptr<TrainingModel::Implementation> make_device_passes(
    const ModelConfig& config, ComputeDType dtype, int segments, at::Device device,
    std::unique_ptr<TrainingAttention> attention, const std::vector<Role>& fixed_roles, std::int64_t fixed_window);

}  // namespace natscope::train
