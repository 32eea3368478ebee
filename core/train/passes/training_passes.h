// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands behind a TrainingModel. Private to core/train.
#pragma once

#include "core/train/passes/training_model.h"

namespace natscope::train {

/// Contracts as TrainingModel's; may throw what LibTorch throws.
class TrainingModel::Implementation {
 public:
  virtual ~Implementation() = default;
  virtual void set_weights(std::span<const float> weights) = 0;
  virtual Expected<PassResult> forward_backward(const MicroBatch& batch, const StepContext& context,
                                                std::span<float> gradient, const StopToken& stop) = 0;
  virtual StateOnDevice* state_on_device() { return nullptr; }
  virtual Expected<PassResult> evaluate(const MicroBatch& batch, int counted, const StopToken& stop) = 0;

  ParameterLayout layout;
};

}  // namespace natscope::train
