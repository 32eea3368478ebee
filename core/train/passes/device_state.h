// SPDX-License-Identifier: GPL-3.0-or-later
/// The flat arrays of a run as tensors of one device, and AdamW on them. Private to core/train.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <vector>

#include "core/train/passes/state_on_device.h"
#include "core/train/ranks/device_sums.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

class DeviceState final : public StateOnDevice {
 public:
  /// Weights that are zero; gradient and moments are made when they are first needed. `layout` must outlive this. May
  /// throw what LibTorch throws.
  DeviceState(const ParameterLayout& layout, at::Device device);

  /// f32 [layout.size] each, at one place for ever.
  [[nodiscard]] const at::Tensor& weights() const { return weights_; }
  [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }

  /// The weights alone, from ordinary memory. May throw what LibTorch throws.
  void set_weights(std::span<const float> weights);

  Expected<void> set(const TrainingState& state) override;
  Expected<void> bring_down(TrainingState& state) const override;
  Expected<void> clear_gradient() override;
  Expected<OptimizerReport> step(const OptimizerOptions& options, std::int64_t number) override;
  Expected<void> join(RankGroup& ranks) override;
  Expected<void> begin_sum(std::int64_t begin, std::int64_t end) override;
  Expected<void> finish_sums() override;

 private:
  [[nodiscard]] std::vector<at::Tensor> parts(const at::Tensor& flat, bool (*wanted)(ParameterKind)) const;
  void adamw(const OptimizerOptions& options, double weight_decay, std::int64_t number, bool (*wanted)(ParameterKind));

  const ParameterLayout& layout_;
  at::Tensor weights_, gradient_, first_moment_, second_moment_;
  std::unique_ptr<DeviceSums> sums_;  // of several ranks
};

}  // namespace natscope::train
