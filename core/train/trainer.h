// SPDX-License-Identifier: GPL-3.0-or-later
/// Training a NAtS model from scratch on plain text.
///
///     TrainOptions options;
///     options.data = "books/train"; options.job = options.out = "my-model";
///     auto result = train::train(options, /*resume=*/false, {}, stop);
///
/// Runs on the calling thread, with options.threads threads inside. Memory: 16 bytes a parameter and the activations of
/// a micro-batch. A stop is answered within a layer; the step in work is given up and the last checkpoint, or a new one
/// where that takes no time, is what `resume` continues from. Source: the rules, sections 6 – 8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/base/cancel.h"
#include "core/base/expected.h"
#include "core/train/role_statistics.h"
#include "core/train/train_options.h"

namespace natscope::train {

/// One finished optimiser step.
struct StepReport {
  std::int64_t step = 0;  ///< from 1
  std::int64_t steps = 0;
  double loss = 0.0;  ///< mean nll of the batch, before the step
  double learning_rate = 0.0;
  double gradient_norm = 0.0;  ///< before the clip, score layers left out
  double tokens_per_s = 0.0;
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
  double bits_per_byte = 0.0;
  bool has_roles = false;
  RoleStatistics roles;  ///< for every (layer, KV head)

  [[nodiscard]] double perplexity() const;
};

struct TrainResult {
  std::filesystem::path model;
  std::int64_t steps = 0;
  std::int64_t tokens = 0;  ///< read in all steps, earlier sessions of a resumed run included
  std::int64_t parameters = 0;
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

/// Trains and writes the model folder. `resume`: go on in options.job from its newest valid checkpoint with the options
/// in its spec.json (of `options` only `job` is read).
/// Errors: usage (options; a job folder in use without `resume`), bad_data, bad_job, bad_checkpoint, bad_tokenizer,
/// interrupted, out_of_memory, those of reading and writing files.
[[nodiscard]] Expected<TrainResult> train(TrainOptions options, bool resume, const TrainListener& listener,
                                          const StopToken& stop);

}  // namespace natscope::train
