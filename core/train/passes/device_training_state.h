// SPDX-License-Identifier: GPL-3.0-or-later
/// A run's weights, gradient and moments as flat arrays of the device that its passes are computed on.
///
/// The optimizer moves them there; to ordinary memory they come for a checkpoint and for the end:
///
///     NATSCOPE_CHECK(state->set(begin));
///     for (…) {
///       NATSCOPE_CHECK(state->clear_gradient());
///       NATSCOPE_TRY(auto pass, model.forward_backward(batch, context, {}, stop));  // no array: into the state's own
///       NATSCOPE_TRY(auto report, state->step(options, number));
///     }
///     NATSCOPE_CHECK(state->bring_down(end));
///
/// The arithmetic is optimizer_step()'s to rounding. What comes down and goes up again loses no bit, so that a resumed
/// run goes on as if it had not been interrupted. Errors of all: out_of_memory, internal (LibTorch's words).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/train/checkpoints/checkpoint.h"
#include "core/train/passes/optimizer.h"
#include "core/train/ranks/device_all_reduce.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/weights/parameters.h"

namespace natscope::train {

class DeviceTrainingState {
 public:
  /// Weights that are zero; gradient and moments are made when they are first needed. `layout` must outlive this. May
  /// throw what LibTorch throws.
  DeviceTrainingState(const ParameterLayout& layout, at::Device device);

  /// f32 [layout.size] each, at one place for ever.
  [[nodiscard]] const at::Tensor& weights() const { return weights_; }
  [[nodiscard]] const at::Tensor& gradient() const { return gradient_; }

  /// The weights alone, from ordinary memory. May throw what LibTorch throws.
  void set_weights(std::span<const float> weights);

  /// Weights and moments [layout.size] of `state`.
  [[nodiscard]] Expected<void> set(const TrainingState& state);
  /// Fills the arrays of `state`, which are [layout.size] already; its step is the caller's.
  [[nodiscard]] Expected<void> bring_down(TrainingState& state) const;

  [[nodiscard]] Expected<void> clear_gradient();
  /// Moves weights and moments by the gradient, which is not the same afterwards. `number`: the step's, from 1.
  [[nodiscard]] Expected<OptimizerReport> step(const OptimizerOptions& options, std::int64_t number);

  /// From now on `ranks` share each step, and all of them call this: on a GPU the gradient is added up through NCCL, in
  /// ordinary memory by the ranks themselves, which must outlive this. Errors: as nccl_all_reduce().
  [[nodiscard]] Expected<void> join(RankGroup& ranks);
  /// Begins to add up the gradient's [begin, end) over the ranks, behind the work that made it; nothing may touch that
  /// part until finish_all_reduce(), after which step() moves by the sum. On a GPU neither waits. Errors: as
  /// DeviceAllReduce.
  [[nodiscard]] Expected<void> begin_all_reduce(std::int64_t begin, std::int64_t end);
  [[nodiscard]] Expected<void> finish_all_reduce();

 private:
  [[nodiscard]] std::vector<at::Tensor> parts(const at::Tensor& flat, bool (*wanted)(ParameterKind)) const;
  void adamw(const OptimizerOptions& options, double weight_decay, std::int64_t number, bool (*wanted)(ParameterKind));

  const ParameterLayout& layout_;
  at::Tensor weights_, gradient_, first_moment_, second_moment_;
  std::unique_ptr<DeviceAllReduce> all_reduce_;  // of several ranks
};

}  // namespace natscope::train
