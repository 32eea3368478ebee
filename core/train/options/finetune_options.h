// SPDX-License-Identifier: GPL-3.0-or-later
/// Everything that decides what a fine-tuning run computes, and its text form (spec.json, kind "finetune").
///
/// Source: the rules, section 9. What the paper leaves open is as its public configuration has it (decay 0.1, betas
/// 0.9/0.95) or chosen here: score layers begin with N(0, 0.02); LoRA's A with N(0, 1/in), B with zero.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/train/options/train_options.h"
#include "core/train/text/passkey.h"

namespace natscope::train {

/// What is trained beside the score layers.
enum class Trained { scores, lora, all };

struct FinetuneOptions {
  // Where things are.
  std::filesystem::path model;  ///< the base: any folder that the engine opens, without score layers
  std::filesystem::path data;   ///< folder of *.txt, or one *.txt or *.jsonl file
  std::filesystem::path valid;  ///< the same, held out; empty: no evaluation
  std::filesystem::path job;    ///< spec, status, progress, log, checkpoints
  std::filesystem::path out;    ///< the adapter folder; with Trained::all a whole model folder

  // What is learned.
  Trained trained = Trained::scores;
  int window = 256;
  double global_bias = 0.0;
  double sparse_regularized_value = 3e-7;  ///< λ, added as it is
  int lora_rank = 8;
  double lora_alpha = 16.0;
  std::vector<std::string> lora_targets = {"q_proj", "k_proj"};  ///< of q_proj, k_proj, v_proj, o_proj

  // The run.
  std::int64_t steps = 7000;
  int batch = 1;          ///< documents of a step
  int context = 0;        ///< longest document, tokens; 0: the model's context, at most 16 000
  double passkey = 0.08;  ///< share of documents that are made: keys hidden in the text, questions behind it
  int passkey_keys = passkeys_by_default;  ///< keys of such a document
  double learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double weight_decay = 0.1;
  double clip = 1.0;
  std::uint64_t seed = 0;
  kernels::ElementType dtype = kernels::ElementType::f32;  ///< of products, as TrainOptions has it
  Device device = Device::automatic;
  int threads = 0;  ///< of a machine, for all its ranks; 0: as many as there are
  int ranks = 1;    ///< processes that a job's runner starts to share each step; no part of what is computed
  int rows = 2048;  ///< rows of a feed-forward block that are computed at a time

  // What is said and kept on the way.
  std::int64_t checkpoint_every = 100;
  int checkpoints_kept = 2;
  std::int64_t evaluate_every = 200;  ///< 0: only at the end
  int evaluate_documents = 8;         ///< in between; the end reads four times as many
};

/// Rate of step 1 … steps: a tenth of `peak` at the first, a line up over the first fifth, and a line back to a tenth
/// at the last.
[[nodiscard]] double finetune_learning_rate(double peak, std::int64_t steps, std::int64_t step);

/// Tokens of a run's longest document, for a base with that context: the options', or the paper's 16 000.
[[nodiscard]] std::int64_t longest_document(const FinetuneOptions& options, std::int64_t context);

/// Checks every range and fills in threads. Errors: usage, naming the flag.
[[nodiscard]] Expected<FinetuneOptions> resolve(FinetuneOptions options);

[[nodiscard]] nlohmann::json options_json(const FinetuneOptions& options);
/// Errors: bad_job, naming the key. Unknown keys are refused: they could change the run.
[[nodiscard]] Expected<FinetuneOptions> finetune_options_from_json(const nlohmann::json& spec);

}  // namespace natscope::train
