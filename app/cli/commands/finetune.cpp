// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/commands/training_flags.h"
#include "app/cli/commands/training_progress.h"
#include "app/cli/commands/training_run.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/resume_flag.h"
#include "core/base/resource_path.h"
#include "core/io/model_folder.h"
#include "core/train/finetuner.h"
#include "core/train/memory_forecast.h"
#include "core/train/weights/finetune_layout.h"

namespace natscope {
namespace {

struct Options {
  train::FinetuneOptions tune;
  TrainingFlags flags{"float32"};
  std::string model, trained = "scores";
  bool is_trained_given = false;
  std::vector<std::string> lora;
  bool forecast = false;
};

/// "q" and "q_proj" are the same projection; spec.json and adapter folders have the longer name.
CLI::Validator projection_name() {
  return {[](std::string& text) -> std::string {
            for (const char* const name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
              if (text != name && text != std::string(1, name[0])) continue;
              text = name;
              return {};
            }
            return "takes some of q, k, v and o, not \"" + printable(text, 40) + "\"";
          },
          ""};
}

void add_learning_flags(CLI::App& command, Options& options) {
  constexpr const char* group = "What is learned";
  train::FinetuneOptions& o = options.tune;
  command
      .add_option("--train", options.trained,
                  "What is trained; scores: score layers alone; lora: with LoRA factors; all: every weight")
      ->check(CLI::IsMember({"scores", "lora", "all"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--window", o.window, "W, tokens that a sliding token stays (paper: 256; 128 nearly as good)")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--lambda", o.sparse_regularized_value,
                  "Sparsity, added as it is, over the batch where that is more than 1 (paper: 3e-7 keeps 15-24 %, 5e-8 "
                  "41-51 % of an 8 B model's cache)")
      ->capture_default_str()
      ->group(group);
  command.add_option("--global-bias", o.global_bias, "b, added to the global score at inference")
      ->capture_default_str()
      ->group(group);
  command.add_option("--lora", options.lora, "LoRA on these projections: some of q, k, v, o")
      ->delimiter(',')
      ->transform(projection_name())
      ->type_name("P1,P2,…")
      ->default_str("q,k with --train lora")
      ->group(group);
  command.add_option("--lora-rank", o.lora_rank, "r of LoRA")->capture_default_str()->group(group);
  command.add_option("--lora-alpha", o.lora_alpha, "alpha of LoRA; its product is scaled by alpha / r")
      ->capture_default_str()
      ->group(group);
}

void add_run_flags(CLI::App& command, Options& options) {
  constexpr const char* group = run_group;
  train::FinetuneOptions& o = options.tune;
  command.add_option("--steps", o.steps, "Optimiser steps")->capture_default_str()->group(group);
  command.add_option("--batch", o.batch, "Documents of a step")->capture_default_str()->group(group);
  command
      .add_option(
          "--length", o.context,
          "Longest document, tokens. A longer one loses its end; of a prompt with its answer the prompt loses its "
          "beginning, down to half, and then the answer its end")
      ->type_name("N")
      ->default_str("the model's context, at most 16000")
      ->group(group);
  command.add_option("--passkey", o.passkey, "Share of documents that hide pass keys in the text and ask for them")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--passkey-keys", o.passkey_keys,
                  "Keys of such a document (paper: 10); fewer where they would fill a third of it")
      ->check(CLI::Range(1, 20))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--lr", o.learning_rate,
                  "Highest learning rate: from a tenth up over the first fifth, back over the last (the paper's, for "
                  "score layers; all weights want far less)")
      ->capture_default_str()
      ->group(group);
  add_optimizer_flags(command, o);
  add_process_flags(command, o, "Seed of weights, order, pass keys and role noise");
  command
      .add_option("--rows", o.rows, "Rows of a feed-forward block that are computed at a time: fewer take less memory")
      ->capture_default_str()
      ->group(group);
  add_record_flags(command, o);
  command
      .add_option("--eval-documents", o.evaluate_documents,
                  "Documents of an evaluation; the last one reads four times as many")
      ->capture_default_str()
      ->group(group);
}

Expected<void> print_forecast(const train::FinetuneOptions& options, const CommandContext& context) {
  NATSCOPE_TRY(const train::MemoryForecast forecast, train::forecast_memory(options));
  if (!context.json) return print_text(forecast.text());
  nlohmann::json parts = nlohmann::json::object();
  NATSCOPE_TRY(const ModelFolder base, ModelFolder::open(options.model));
  // In a checkpoint a trained weight and its two moments, in the result the weight alone; one checkpoint more than are
  // kept stands there while it is written.
  const std::int64_t trained = 4 * train::finetune_layout(base.config(), options).size;
  const std::int64_t disk = trained * (3 * (std::max(2, options.checkpoints_kept) + 1) + 1);
  for (const auto& [name, bytes] : forecast.parts) parts[name] = bytes;
  return print_json({{"bytes", forecast.total_bytes()},
                     {"device", forecast.on_gpu ? "cuda" : "cpu"},
                     {"parts", parts},
                     {"tokens", forecast.tokens},
                     {"disk_bytes", disk}});
}

Expected<void> run(Options& options, const std::string& ignored, CommandContext& context) {
  train::FinetuneOptions& o = options.tune;
  options.flags.apply_to(o);
  const bool is_twin = options.model.empty() && !options.flags.resume;
  o.model = is_twin ? demo_twin_path() : std::filesystem::path(options.model);
  o.trained = options.trained == "all"    ? train::Trained::all
              : options.trained == "lora" ? train::Trained::lora
                                          : train::Trained::scores;
  if (!options.lora.empty()) {
    if (o.trained == train::Trained::all) {
      return fail(ErrorCode::usage, "--lora with --train all", "all weights are trained; leave --lora out");
    }
    if (options.is_trained_given && o.trained == train::Trained::scores) {
      return fail(ErrorCode::usage, "--lora with --train scores", "score layers alone have no LoRA; say --train lora");
    }
    o.trained = train::Trained::lora;
    o.lora_targets = options.lora;
  }
  if (options.forecast) {
    o.out.clear();  // nothing is written: what lies there is in nobody's way
    NATSCOPE_TRY(const auto settled, train::checked(o));
    return print_forecast(settled, context);
  }
  NATSCOPE_TRY(const bool is_job, options.flags.wants_job());
  if (is_job) {
    NATSCOPE_TRY(const auto settled, train::checked(o));
    return options.flags.detach.start(train::options_json(settled), o.job, context);
  }
  const auto work = [&](const train::TrainListener& listener, train::RankGroup& ranks) {
    return train::finetune(o, options.flags.resume, listener, context.stop, &ranks);
  };
  NATSCOPE_TRY(const auto result, run_training({o.ranks, options.flags.resume, ignored, work}, context));
  if (!result) return {};
  return print_training_result(*result, o.job, context);
}

}  // namespace

void add_finetune_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(root, "finetune", "Teach an existing model its roles: score layers, LoRA or all weights");
  command->add_option("--model", options->model, "The base: a model folder with full attention")
      ->type_name("DIR")
      ->default_str("the bundled demo's full-attention twin");
  options->flags.add_places(
      *command, {.data = "Folder of *.txt files, one of them, or a *.jsonl file (text, prompt and answer, or messages)",
                 .valid = "Held-out documents, the same way",
                 .out = "Folder for the adapter (with --train all: for the model)"});
  command->add_flag("--forecast", options->forecast,
                    "Say how much memory the run will take (with --device cuda: of the GPU's), and end");
  options->flags.add_arithmetic(*command);
  add_refused_option(*command, "--adapter",
                     "the base is a model with full attention, and an adapter is what comes out");
  add_learning_flags(*command, *options);
  add_run_flags(*command, *options);
  options->flags.detach.add_to(*command);
  command->footer(
      "A line of a *.jsonl file is an object with text; with prompt and answer, each turned into tokens on its "
      "own, of which the answer's count in the loss; or with messages, objects with role and content, which the chat "
      "template in the model's folder writes and of which what the assistant says counts. Held-out nll and perplexity "
      "are over all tokens, its distance over those that count.");
  on_run(
      *command, invocation,
      [options, command](CommandContext& context) {
        options->is_trained_given = command->get_option("--train")->count() > 0;
        return run(*options, ignored_beside_resume(*command), context);
      },
      Work::training);
}

}  // namespace natscope
