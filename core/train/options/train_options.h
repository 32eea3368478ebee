// SPDX-License-Identifier: GPL-3.0-or-later
/// Everything that decides what a training run computes, and its text form (spec.json).
///
/// Two runs with equal options, equal data and an equal number of threads have bit-equal losses on one machine.
/// Source: the rules, sections 7 and 8; what they leave open is chosen here and recorded in spec.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/device.h"
#include "core/base/expected.h"
#include "core/cache/policy.h"
#include "core/model/config.h"
#include "kernels/element_type.h"

namespace natscope {
class Tokenizer;
}

namespace natscope::train {

/// How long the regulariser takes a local token to live: until the next global of the sampled roles, which is the
/// paper's rule, or of the roles that inference would choose from the same scores. Sampling strews globals that
/// inference never chooses, so under the paper's rule a strong λ makes locals cheap which then live for ever.
enum class LocalCharge { sampled, argmax };

/// The rules, section 8: what worked in a small trial.
inline constexpr double default_score_init = 0.02;

struct TrainOptions {
  // Where things are.
  std::filesystem::path data;       ///< folder of UTF-8 *.txt files, or one file
  std::filesystem::path valid;      ///< the same, held out; empty: no evaluation
  std::filesystem::path tokenizer;  ///< a tokenizer.model; empty: that of `init`, else trained on `data`
  std::filesystem::path init;       ///< a model of the same shape, whose weights the run begins with; empty: none
  std::filesystem::path job;        ///< spec, status, progress, log, checkpoints
  std::filesystem::path out;        ///< the finished model folder

  // The model: a tied Llama with score layers.
  int layers = 6;
  int hidden = 256;
  int heads = 8;
  int kv_heads = 4;
  int head_dim = 0;      ///< 0: hidden / heads
  int intermediate = 0;  ///< 0: 8/3 · hidden, rounded up to 64
  int vocab = 4096;
  int context = 1024;
  int window = 16;
  double rope_theta = 10000.0;
  bool full_attention = false;  ///< no score layers, every role global: the twin of a NAtS run
  double global_bias = 0.1;
  Policy policy;  ///< `model`: learned roles; else this mask stands in their place, without score layers. None
                  ///< without roles

  // The run.
  int batch = 8;           ///< segments of an optimiser step
  int micro_batch = 0;     ///< segments computed at a time; 0: all of them
  std::int64_t steps = 0;  ///< 0: from `epochs`
  double epochs = 1.0;
  double learning_rate = 1e-3;
  double final_learning_rate_ratio = 0.1;
  int warmup_steps = 100;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;               ///< on matrices, score layers included; not on norms
  double clip = 1.0;                       ///< of the gradient's norm, score layers left out
  double sparse_regularized_value = 5e-9;  ///< λ in the paper's scale
  LocalCharge local_charge = LocalCharge::sampled;
  double score_init = default_score_init;  ///< score layers' first weights are Normal(0, this)
  std::uint64_t seed = 0;
  /// Of products: f32, or operands rounded to bf16. Sums, residual stream and optimizer are f32 with either.
  kernels::ElementType dtype = kernels::ElementType::bf16;
  Device device = Device::automatic;
  int threads = 0;  ///< of a machine, for all its ranks; 0: as many as there are
  int ranks = 1;    ///< processes that a job's runner starts to share each step; no part of what is computed

  // What is said and kept on the way.
  std::int64_t checkpoint_every = 200;
  int checkpoints_kept = 2;
  std::int64_t evaluate_every = 500;  ///< 0: only at the end
  int evaluate_segments = 16;         ///< in between; the end reads four times as many
};

/// λ that is added to the role gradients of a step of `tokens` tokens whose loss is a mean: λ · 491 520 / tokens.
[[nodiscard]] double applied_sparsity(double sparse_regularized_value, std::int64_t tokens);

/// Fills in head_dim, intermediate, micro_batch and threads, makes full_attention and the policy `full` say the same,
/// and checks every range. Errors: usage, naming the flag.
[[nodiscard]] Expected<TrainOptions> resolve(TrainOptions options);

/// The model that the options describe, as config.json will say it.
[[nodiscard]] ModelConfig model_config(const TrainOptions& options);
/// The same with the vocabulary's size and special tokens.
[[nodiscard]] ModelConfig model_config(const TrainOptions& options, const Tokenizer& tokenizer);

/// All options, for spec.json. options_from_json() of it gives the same options.
[[nodiscard]] nlohmann::json options_json(const TrainOptions& options);

/// Errors: bad_job, naming the key. Unknown keys are refused: they could change the run.
[[nodiscard]] Expected<TrainOptions> options_from_json(const nlohmann::json& spec);

}  // namespace natscope::train
