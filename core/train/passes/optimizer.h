// SPDX-License-Identifier: GPL-3.0-or-later
/// AdamW over a flat array of weights, with the norm clip.
///
/// Decay on matrices and score layers, none on norms. The gradient's norm is taken, and clipped, over everything but
/// the score layers: their gradient holds the sparsity regulariser, whose size says nothing about the loss.
#pragma once

#include <cstdint>
#include <span>

#include "core/train/checkpoints/checkpoint.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

struct OptimizerOptions {
  double learning_rate = 0.0;  ///< of this step
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;
  double clip = 1.0;  ///< largest norm of the gradient
};

struct OptimizerReport {
  double learning_rate = 0.0;
  double gradient_norm = 0.0;  ///< before the clip, score layers left out
  bool is_finite = true;       ///< the whole gradient, score layers included
};

/// Updates weights and moments for step `number` (from 1); gradient [layout.size].
OptimizerReport optimizer_step(const OptimizerOptions& options, std::int64_t number, const ParameterLayout& layout,
                               std::span<const float> gradient, TrainingState& state);

}  // namespace natscope::train
