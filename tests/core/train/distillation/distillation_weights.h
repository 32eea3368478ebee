// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <random>
#include <vector>

#include "core/train/distillation/distillation_model.h"

namespace natscope::test {

/// The first weights, but score layers of N(0, score_deviation), which choose all roles, and LoRA factors that change
/// something.
inline std::vector<float> lively_weights(const train::DistillationModel& model, float score_deviation,
                                         std::mt19937& random) {
  std::vector<float> weights = model.initial_weights(5);
  std::normal_distribution<float> normal(0.0F, 1.0F);
  for (const train::Parameter& p : model.layout().parameters) {
    const bool is_score = p.kind == train::ParameterKind::score;
    const float scale = is_score ? score_deviation : p.name.ends_with("lora_b") ? 0.1F : 0.0F;
    for (std::int64_t i = 0; i < p.elements && scale > 0; ++i)
      weights[static_cast<std::size_t>(p.offset + i)] = scale * normal(random);
  }
  return weights;
}

}  // namespace natscope::test
