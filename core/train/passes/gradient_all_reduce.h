// SPDX-License-Identifier: GPL-3.0-or-later
/// A step's gradient, added up over the ranks that share the step. Private to core/train.
///
///     GradientAllReduce sums(ranks, gradient, state);
///     context.gradient_ready = sums.of_last_pass();  // …of the last micro-batch of this rank
///     … the pass …
///     NATSCOPE_CHECK(sums.finish());
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/base/expected.h"
#include "core/train/passes/device_training_state.h"
#include "core/train/ranks/rank_group.h"

namespace natscope::train {

class GradientAllReduce {
 public:
  /// `gradient`: in ordinary memory, or empty where it is `state`'s, which has joined the ranks then. All outlive this.
  GradientAllReduce(RankGroup& ranks, std::span<float> gradient, DeviceTrainingState* state)
      : ranks_(ranks), gradient_(gradient), state_(state) {}

  /// Told of each part as soon as it stands, it begins to add it up: what is computed meanwhile hides the sum.
  /// Empty for one rank.
  [[nodiscard]] std::function<Expected<void>(std::int64_t begin, std::int64_t end)> of_last_pass() const {
    if (ranks_.size() == 1) return {};
    return [*this](std::int64_t begin, std::int64_t end) {
      if (gradient_.empty()) return state_->begin_all_reduce(begin, end);
      return ranks_.begin_all_reduce(
          gradient_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
    };
  }

  /// After it the gradient is the whole step's. Errors: as RankGroup::finish_all_reduce().
  [[nodiscard]] Expected<void> finish() const {
    if (ranks_.size() == 1) return {};
    return gradient_.empty() ? state_->finish_all_reduce() : ranks_.finish_all_reduce();
  }

 private:
  RankGroup& ranks_;
  std::span<float> gradient_;
  DeviceTrainingState* state_;
};

}  // namespace natscope::train
