// SPDX-License-Identifier: GPL-3.0-or-later
/// What a training run says of itself, from scratch and fine-tuning alike.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/train/roles/role_statistics.h"

namespace natscope::train {

/// One finished optimiser step.
struct StepReport {
  std::int64_t step = 0;  ///< from 1
  std::int64_t steps = 0;
  std::int64_t tokens = 0;   ///< read in this step
  double loss = 0.0;         ///< before the step: mean nll of the batch …
  bool is_distance = false;  ///< … or of fine-tuning the mean squared difference of the final hidden states
  double learning_rate = 0.0;
  double gradient_norm = 0.0;       ///< before the clip, score layers left out
  double tokens_per_s = 0.0;        ///< of this step
  double usual_tokens_per_s = 0.0;  ///< of the last steps together, as eta_s has it
  double eta_s = 0.0;
  bool has_roles = false;
  HeadRoles sampled;  ///< over all layers and KV heads
  HeadRoles argmax;
};

/// Held-out text, with the roles that inference chooses. Not `eval`: segments are computed densely, and every token of
/// a segment is predicted.
struct Evaluation {
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  double nll = 0.0;  ///< mean, natural logarithm
  /// Fine-tuning only: the mean squared difference of the final hidden states, and what full attention reaches.
  std::optional<double> distance;
  std::optional<double> full_nll;
  double bits_per_byte = 0.0;
  bool has_roles = false;
  RoleStatistics roles;  ///< for every (layer, KV head)

  [[nodiscard]] double perplexity() const { return std::exp(nll); }
};

struct TrainResult {
  std::filesystem::path model;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;  ///< read in all steps, earlier sessions of a resumed run included
  std::int64_t parameters = 0;
  int kv_heads = 0;   ///< of the model that was trained, whatever flags a resumed run was given
  double loss = 0.0;  ///< of the last step
  double seconds = 0.0;
  std::optional<Evaluation> evaluation;
};

/// Called on the training thread; all may be empty.
struct TrainListener {
  std::function<void(const StepReport&)> step;
  std::function<void(const Evaluation&)> evaluated;
  std::function<void(const std::string&)> message;
};

}  // namespace natscope::train
