// SPDX-License-Identifier: GPL-3.0-or-later
/// What computes the passes of a TrainingModel: CpuPasses, or DevicePasses. Private to core/train.
#pragma once

#include <cstdint>
#include <vector>

#include "core/train/passes/training_model.h"
#include "kernels/token_roles.h"

namespace natscope::train {

/// Roles that stay the same for every segment, layer and KV head: roles [T].
struct FixedMask {
  std::vector<Role> roles;
  std::int64_t window = 0;
};

/// Contracts as TrainingModel's; may throw what LibTorch throws.
class TrainingPasses {
 public:
  virtual ~TrainingPasses() = default;
  virtual void set_weights(std::span<const float> weights) = 0;
  virtual Expected<PassResult> forward_backward(const MicroBatch& batch, const StepContext& context,
                                                std::span<float> gradient, const StopToken& stop) = 0;
  virtual Expected<PassResult> evaluate(const MicroBatch& batch, int counted, const StopToken& stop) = 0;
  virtual DeviceTrainingState* device_state() { return nullptr; }

  ParameterLayout layout;
};

}  // namespace natscope::train
