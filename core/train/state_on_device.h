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
#include "core/train/checkpoint.h"
#include "core/train/optimizer.h"

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
};

}  // namespace natscope::train
