// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/passes/optimizer.h"

#include <cmath>

#include "core/train/passes/row_operations.h"

namespace natscope::train {

OptimizerReport optimizer_step(const OptimizerOptions& options, std::int64_t number, const ParameterLayout& layout,
                               std::span<const float> gradient, TrainingState& state) {
  const RowOperations<float>& operations = row_operations<float>();
  double squares = 0.0;
  double score_squares = 0.0;
  for (const Parameter& p : layout.parameters) {
    (p.kind == ParameterKind::score ? score_squares : squares) +=
        operations.sum_of_squares(p.elements, gradient.data() + p.offset);
  }
  OptimizerReport report;
  report.gradient_norm = std::sqrt(squares);
  report.is_finite = std::isfinite(squares) && std::isfinite(score_squares);
  report.learning_rate = options.learning_rate;
  const double clip = report.gradient_norm > options.clip ? options.clip / report.gradient_norm : 1.0;
  for (const Parameter& p : layout.parameters) {
    AdamStep step;
    step.learning_rate = report.learning_rate;
    step.beta1 = options.beta1;
    step.beta2 = options.beta2;
    step.weight_decay = p.kind == ParameterKind::norm ? 0.0 : options.weight_decay;
    step.gradient_scale = p.kind == ParameterKind::score ? 1.0 : clip;
    step.step = number;
    operations.adamw(step, p.elements, gradient.data() + p.offset, state.weights.data() + p.offset,
                     state.first_moment.data() + p.offset, state.second_moment.data() + p.offset);
  }
  return report;
}

}  // namespace natscope::train
