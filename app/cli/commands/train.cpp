// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands.h"
#include "app/cli/commands/training_flags.h"
#include "app/cli/commands/training_progress.h"
#include "app/cli/commands/training_run.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/flags/resume_flag.h"
#include "core/train/trainer.h"

namespace natscope {
namespace {

struct Options {
  train::TrainOptions train;
  PolicyFlag policy;
  TrainingFlags flags{"bfloat16"};
  std::string tokenizer, init, charge = "sampled";
  bool is_window_given = false;
};

void add_model_flags(CLI::App& command, train::TrainOptions& o) {
  constexpr const char* group = "Model";
  command.add_option("--layers", o.layers, "Layers")->capture_default_str()->group(group);
  command.add_option("--hidden", o.hidden, "Hidden size")->capture_default_str()->group(group);
  command.add_option("--heads", o.heads, "Query heads")->capture_default_str()->group(group);
  command.add_option("--kv-heads", o.kv_heads, "Key/value heads")->capture_default_str()->group(group);
  command.add_option("--head-dim", o.head_dim, "Size of a head")->default_str("hidden / heads")->group(group);
  command.add_option("--intermediate", o.intermediate, "Size inside the SwiGLU")
      ->default_str("8/3 of hidden")
      ->group(group);
  command.add_option("--context", o.context, "Tokens of a segment")->capture_default_str()->group(group);
  command.add_option("--window", o.window, "W, tokens that a sliding token stays")->capture_default_str()->group(group);
  command.add_option("--vocab", o.vocab, "Pieces of the vocabulary that is trained")
      ->capture_default_str()
      ->group(group);
  command.add_option("--rope-theta", o.rope_theta, "Base of the rotation")->capture_default_str()->group(group);
  command.add_option("--global-bias", o.global_bias, "b, added to the global score at inference")
      ->capture_default_str()
      ->group(group);
  command.add_flag("--full-attention", o.full_attention, "No score layers: the twin of a NAtS run")->group(group);
}

void add_run_flags(CLI::App& command, train::TrainOptions& o, std::string& charge) {
  constexpr const char* group = run_group;
  auto* steps = command.add_option("--steps", o.steps, "Optimiser steps");
  steps->default_str("from --epochs")->check(CLI::Range(1, std::numeric_limits<std::int32_t>::max()))->group(group);
  command.add_option("--epochs", o.epochs, "Times that the text is read")
      ->capture_default_str()
      ->excludes(steps)
      ->group(group);
  command.add_option("--batch", o.batch, "Segments of a step")->capture_default_str()->group(group);
  command.add_option("--micro-batch", o.micro_batch, "Segments computed at a time")
      ->default_str("all of a step's")
      ->group(group);
  command.add_option("--lr", o.learning_rate, "Highest learning rate")->capture_default_str()->group(group);
  command.add_option("--final-lr-ratio", o.final_learning_rate_ratio, "Last learning rate over the highest")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--warmup", o.warmup_steps, "Steps up to the highest learning rate; a shorter run never comes to it")
      ->capture_default_str()
      ->group(group);
  add_optimizer_flags(command, o);
  command.add_option("--lambda", o.sparse_regularized_value, "Sparsity, in the paper's scale")
      ->capture_default_str()
      ->group(group);
  command
      .add_option(
          "--local-charge", charge,
          "Until which global λ charges a local; sampled: the paper's rule; argmax: the one that inference would "
          "choose")
      ->check(CLI::IsMember({"sampled", "argmax"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--score-init", o.score_init, "Standard deviation of the score layers' first weights")
      ->capture_default_str()
      ->group(group);
  add_process_flags(command, o, "Seed of weights, order and role noise");
  add_record_flags(command, o);
  command
      .add_option("--eval-segments", o.evaluate_segments,
                  "Segments of an evaluation; the last one reads four times as many")
      ->capture_default_str()
      ->group(group);
}

Expected<void> run(Options& options, const std::string& ignored, CommandContext& context) {
  train::TrainOptions& o = options.train;
  NATSCOPE_TRY(o.policy, options.policy.policy(o.context));
  if (options.is_window_given && has_own_window(o.policy)) {
    return fail(ErrorCode::usage,
                "--policy " + to_string(o.policy) + " has a window W of its own, so --window is not taken",
                "leave --window out");
  }
  options.flags.apply_to(o);
  o.tokenizer = options.tokenizer;
  o.init = options.init;
  o.local_charge = options.charge == "argmax" ? train::LocalCharge::argmax : train::LocalCharge::sampled;

  NATSCOPE_TRY(const bool is_job, options.flags.wants_job());
  if (is_job) {
    // What can be known to be wrong is said here, not in a log.
    NATSCOPE_TRY(const auto settled, train::checked(o));
    return options.flags.detach.start(train::options_json(settled), o.job, context);
  }

  const auto work = [&](const train::TrainListener& listener, train::RankGroup& ranks) {
    return train::train(o, options.flags.resume, listener, context.stop, &ranks);
  };
  NATSCOPE_TRY(const auto result, run_training({o.ranks, options.flags.resume, ignored, work}, context));
  if (!result) return {};
  return print_training_result(*result, o.job, context);
}

}  // namespace

void add_train_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "train", "Train a NAtS model from scratch on plain text");
  options->flags.add_places(*command, {.data = "Folder of *.txt files (UTF-8), or one file",
                                       .valid = "Held-out text, the same way",
                                       .out = "Folder for the finished model"});
  command->add_option("--tokenizer", options->tokenizer, "A tokenizer.model to use")
      ->type_name("FILE")
      ->default_str("that of --init, else one is trained on --data");
  command
      ->add_option("--init", options->init,
                   "A model folder of the same shape, whose weights and vocabulary the run begins with")
      ->type_name("DIR");
  options->flags.add_arithmetic(*command);
  add_model_flags(*command, options->train);
  command
      ->add_option("--policy", options->policy.text,
                   "The mask to train with: model (learned roles), full, window:W, longformer:W,P1,P2,… or "
                   "streaming:SINKS,WINDOW; all but model without score layers")
      ->type_name("POLICY")
      ->capture_default_str();
  for (const char* const flag : {"--model", "--adapter"}) {
    add_refused_option(
        *command, flag,
        "train begins from scratch, or with --init DIR; natscope-cli finetune --model DIR teaches a model its roles");
  }
  add_run_flags(*command, options->train, options->charge);
  options->flags.detach.add_to(*command);
  on_run(
      *command, invocation,
      [options, command](CommandContext& context) {
        options->is_window_given = command->get_option("--window")->count() > 0;
        return run(*options, ignored_beside_resume(*command), context);
      },
      Work::training);
}

}  // namespace natscope
