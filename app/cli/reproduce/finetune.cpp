// SPDX-License-Identifier: GPL-3.0-or-later
/// `reproduce finetune`: what a cache costs after score layers were taught to a full-attention model.
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/commands/drawn_figure.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/reproduce/study_commands.h"
#include "app/cli/reproduce/study_progress.h"
#include "core/base/atomic_file.h"
#include "core/base/resource_path.h"
#include "core/reproduce/finetune_report.h"
#include "core/reproduce/finetune_study.h"

namespace natscope {
namespace {

using namespace reproduce;

struct Options {
  FinetuneStudyOptions study;
  std::string model, data, test, out;
  std::string task = name(StudyTask::books);
  bool plan = false;
  bool report = false;
};

Expected<void> print_plan(const FinetuneStudyOptions& options, CommandContext& context) {
  NATSCOPE_TRY(const FinetunePlan plan, FinetunePlan::make(options));
  const StudyFolder folder(options.out);
  nlohmann::json runs = nlohmann::json::array();
  std::string text;
  for (const PlannedRun& run : plan.runs) {
    runs.push_back({{"run", run.key}, {"done", folder.is_done(run.key)}});
    text += (folder.is_done(run.key) ? "done  " : "      ") + run.key + "\n";
  }
  if (context.json) return print_json({{"study", study_json(plan.options)}, {"runs", std::move(runs)}});
  return print_text(text);
}

Expected<void> write_results(const FinetuneStudyOptions& options, const std::vector<StudyRow>& rows,
                             StudyProgress& progress, CommandContext& context) {
  const auto results = finetune_results_json(options, rows);
  const std::string table = finetune_table(rows);
  NATSCOPE_CHECK(write_file_atomically(options.out / "results.json", results.dump(2) + "\n"));
  NATSCOPE_CHECK(write_file_atomically(options.out / "table.md", table));
  const bool has_keys = options.task == StudyTask::books;
  if (has_keys) NATSCOPE_CHECK(write_file_atomically(options.out / "passkeys.csv", passkey_csv(rows)));
  if (!rows.empty() && figures_are_drawn()) {
    for (const char* file : {"figure.svg", "figure.png"})
      NATSCOPE_CHECK(draw_chart_file(finetune_chart(rows), {}, options.out / file));
    for (const char* file : {"passkeys.svg", "passkeys.png"}) {
      if (has_keys) NATSCOPE_CHECK(draw_grid_file(passkey_chart(rows), {}, options.out / file));
    }
  }
  progress.say("results: " + options.out.string());
  return context.json ? print_json(results) : print_text(table);
}

Expected<void> run(const Options& given, CommandContext& context) {
  FinetuneStudyOptions wanted = given.study;
  wanted.model = given.model.empty() ? demo_twin_path() : std::filesystem::path(given.model);
  wanted.data = given.data;
  wanted.test = given.test;
  wanted.out = given.out;
  wanted.task = given.task == name(StudyTask::distance) ? StudyTask::distance : StudyTask::books;
  NATSCOPE_TRY(const FinetuneStudyOptions options, resolve(std::move(wanted)));
  if (given.plan) return print_plan(options, context);

  StudyProgress progress;
  NATSCOPE_TRY(FinetuneStudy study, FinetuneStudy::open(options, context.stop));
  if (!given.report) NATSCOPE_CHECK(run_study(study, "runs", progress, context));
  NATSCOPE_TRY(const auto rows, study.rows());
  return write_results(options, rows, progress, context);
}

}  // namespace

void add_reproduce_finetune(CLI::App& parent, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      parent, "finetune",
      "Teach score layers to a full-attention model at several windows and λ, and compare what they keep with "
      "StreamingLLM and H2O");
  FinetuneStudyOptions& study = options->study;
  command->add_option("--model", options->model, "The full-attention model: a folder without score layers")
      ->type_name("DIR")
      ->default_str("the bundled demo's full-attention twin");
  command->add_option("--data", options->data, "Text to learn from: a folder of *.txt files (UTF-8), or one file")
      ->required()
      ->type_name("PATH");
  command->add_option("--test", options->test, "Text to score on, the same way")->required()->type_name("PATH");
  command->add_option("--out", options->out, "Folder of the study")->required()->type_name("DIR");
  command
      ->add_option(
          "--task", options->task,
          "books: the text as it is; distance: with marks strewn in, for a model of reproduce scratch --task distance")
      ->check(CLI::IsMember({name(StudyTask::books), name(StudyTask::distance)}))
      ->capture_default_str();
  command->add_option("--windows", study.windows, "W of the score layers")
      ->delimiter(',')
      ->type_name("W1,W2,…")
      ->default_str("16,32,64");
  command->add_option("--lambdas", study.lambdas, "λ, added to the role gradients as it is")
      ->delimiter(',')
      ->type_name("L1,L2,…")
      ->default_str("1e-7,1e-6,1e-5");
  command->add_option("--steps", study.steps, "Documents that each adapter learns from")->capture_default_str();
  command->add_option("--passkey", study.passkey, "Share of documents that are made, with pass keys")
      ->capture_default_str();
  command
      ->add_option("--passkey-keys", study.passkey_keys,
                   "Keys of such a document, learned from and asked for; 1: nothing to choose from")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  command->add_option("--length", study.longest, "Tokens of documents and segments")
      ->default_str("the context, at most 1024");
  command->add_option("--test-tokens", study.test_tokens, "Tokens that are scored")->capture_default_str();
  command->add_option("--documents", study.documents, "Documents with pass keys that are asked, of each length")
      ->capture_default_str();
  command->add_option("--key-lengths", study.key_lengths, "Tokens of those documents")
      ->delimiter(',')
      ->default_str("a quarter and a half of --length, and the whole")
      ->type_name("L1,L2,…");
  add_threads_option(*command, study.threads);
  command->add_flag("--plan", options->plan, "List the runs and which are done, and end");
  command->add_flag("--report", options->report, "Write tables, JSON and figures of what is done, and end");
  refuse_shared_options(*command,
                        "a study is computed on the CPU in float32, with seeds of its own, so that it repeats");
  command->footer(
      "Scores perplexity, KV fraction and pass keys by depth and length (or marks by distance); writes tables, JSON "
      "and figures into --out.\n"
      "Goes on where it was stopped; several processes may share one --out.");
  on_run(
      *command, invocation, [options](CommandContext& context) { return run(*options, context); }, Work::training);
}

}  // namespace natscope
