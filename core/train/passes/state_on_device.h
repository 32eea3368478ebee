// SPDX-License-Identifier: GPL-3.0-or-later
/// A run's weights, gradient and moments where its passes are computed.
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

#include <cstdint>

#include "core/base/expected.h"
#include "core/train/passes/optimizer.h"
#include "core/train/ranks/rank_group.h"
#include "core/train/weights/checkpoint.h"

namespace natscope::train {

class StateOnDevice {
 public:
  virtual ~StateOnDevice() = default;

  /// Weights and moments [layout.size] of `state`.
  [[nodiscard]] virtual Expected<void> set(const TrainingState& state) = 0;
  /// Fills the arrays of `state`, which are [layout.size] already; its step is the caller's.
  [[nodiscard]] virtual Expected<void> bring_down(TrainingState& state) const = 0;

  virtual Expected<void> clear_gradient() = 0;
  /// Moves weights and moments by the gradient, which is not the same afterwards. `number`: the step's, from 1.
  [[nodiscard]] virtual Expected<OptimizerReport> step(const OptimizerOptions& options, std::int64_t number) = 0;

  /// From now on `ranks` share each step, and all of them call this: on a GPU the gradient is added up through NCCL, in
  /// ordinary memory by the ranks themselves, which must outlive this. Errors: as nccl_sums().
  [[nodiscard]] virtual Expected<void> join(RankGroup& ranks) = 0;
  /// Begins to add up the gradient's [begin, end) over the ranks, behind the work that made it; nothing may touch that
  /// part until finish_sums(), after which step() moves by the sum. On a GPU neither waits. Errors: as DeviceSums.
  [[nodiscard]] virtual Expected<void> begin_sum(std::int64_t begin, std::int64_t end) = 0;
  [[nodiscard]] virtual Expected<void> finish_sums() = 0;
};

}  // namespace natscope::train
