// SPDX-License-Identifier: GPL-3.0-or-later
/// The forward and backward pass of a NAtS Llama on the CPU, written out by hand. Private to core/train.
///
/// Products go through LibTorch, attention with its role gradient through kernels/, the rest through row_operations,
/// and all buffers are made once. The residual stream, norms' sums, scores and attention's inputs are f32; with
/// bfloat16 the operands and results of products are bf16.
#pragma once

#include <memory>

#include "core/train/passes/training_passes.h"

namespace natscope::train {

/// `backend`: of attention. `mask`: of every head where `config` has no score layers. May throw what LibTorch throws.
[[nodiscard]] std::unique_ptr<TrainingPasses> make_cpu_passes(const ModelConfig& config, kernels::ElementType dtype,
                                                              int segments, kernels::Backend backend, FixedMask mask);

}  // namespace natscope::train
