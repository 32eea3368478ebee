// SPDX-License-Identifier: GPL-3.0-or-later
/// `reproduce scratch`: trains and scores what the comparison of learned roles with fixed masks needs.
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/cli/commands/drawn_figure.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/reproduce/study_commands.h"
#include "app/cli/reproduce/study_progress.h"
#include "core/base/atomic_file.h"
#include "core/reproduce/scratch_study.h"
#include "core/reproduce/study_report.h"

namespace natscope {
namespace {

using namespace reproduce;

/// What is not given is as the folder's study has it.
struct Options {
  StudyOptions study;
  std::string out;
  std::optional<std::string> data, test, size, task;
  std::optional<std::int64_t> steps, test_tokens;
  std::optional<double> score_init;
  bool plan = false;
  bool report = false;
};

/// Runs of the plan and whether they are done; nothing is trained.
Expected<void> print_plan(const StudyOptions& options, CommandContext& context) {
  const auto done = runs_done(options);
  const auto plan = study_plan(options);
  if (context.json) {
    nlohmann::json runs = nlohmann::json::array();
    for (std::size_t i = 0; i < plan.size(); ++i) runs.push_back({{"run", plan[i].key}, {"done", bool{done[i]}}});
    return print_json({{"study", study_json(options)}, {"runs", std::move(runs)}});
  }
  std::string text;
  std::size_t left = 0;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    text += (done[i] ? "done  " : "      ") + plan[i].key;
    if (!plan[i].budget_of.empty()) text += "  at the budget of " + plan[i].budget_of;
    text += "\n";
    left += done[i] ? 0 : 1;
  }
  const StudySize& size = size_of(options);
  const auto tokens = options.steps * size.batch * size.context;
  text += std::to_string(left) + " of " + std::to_string(plan.size()) + " trainings left, " +
          std::to_string(tokens / 1000) + " thousand tokens each\n";
  return print_text(text);
}

Expected<void> write_results(const StudyOptions& options, const std::vector<StudyRow>& rows, StudyProgress& progress,
                             CommandContext& context) {
  const auto groups = groups_of(rows);
  const auto results = results_json(options, rows);
  const std::string table = results_table(groups);
  NATSCOPE_CHECK(write_file_atomically(options.out / "results.json", results.dump(2) + "\n"));
  NATSCOPE_CHECK(write_file_atomically(options.out / "table.md", table));
  if (!groups.empty() && figures_are_drawn()) {
    const SeriesChart chart = results_chart(options, groups);
    for (const char* file : {"figure.svg", "figure.png"})
      NATSCOPE_CHECK(draw_chart_file(chart, {}, options.out / file));
  }
  progress.say("results: " + options.out.string());
  return context.json ? print_json(results) : print_text(table);
}

Expected<void> run(const Options& given, CommandContext& context) {
  StudyOptions begun = given.study;
  begun.out = given.out;
  NATSCOPE_TRY(StudyOptions wanted, recall(std::move(begun)));
  if (given.data) wanted.data = *given.data;
  if (given.test) wanted.test = *given.test;
  if (given.size) wanted.size = *given.size;
  if (given.task) wanted.task = *given.task == "distance" ? StudyTask::distance : StudyTask::books;
  if (given.steps) wanted.steps = *given.steps;
  if (given.score_init) wanted.score_init = *given.score_init;
  if (given.test_tokens) wanted.test_tokens = *given.test_tokens;
  NATSCOPE_TRY(const StudyOptions options, resolve(std::move(wanted)));
  if (given.plan) return print_plan(options, context);

  StudyProgress progress;
  NATSCOPE_TRY(ScratchStudy study, ScratchStudy::open(
                                       options, [&](const std::string& text) { progress.say(text); }, context.stop));
  if (!given.report) NATSCOPE_CHECK(run_study(study, "trainings", progress, context));
  NATSCOPE_TRY(const auto rows, study.rows());
  return write_results(options, rows, progress, context);
}

std::string sizes_text() {
  std::string text;
  for (const StudySize& size : study_sizes())
    text += std::string(text.empty() ? "" : "; ") + size.name + ": " + size.what;
  return text;
}

}  // namespace

void add_reproduce_scratch(CLI::App& parent, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      parent, "scratch",
      "Train full attention, NAtS at several λ and fixed masks at the budgets that NAtS learned, and compare them");
  StudyOptions& study = options->study;
  command
      ->add_option("--data", options->data,
                   "Training text: a folder of *.txt files (UTF-8), or one file; needed for a new study")
      ->type_name("PATH");
  command->add_option("--test", options->test, "Text to score on, the same way; needed for a new study")
      ->type_name("PATH");
  command->add_option("--out", options->out, "Folder of the study")->required()->type_name("DIR");
  command->add_option("--size", options->size, "Size of models and trainings; " + sizes_text())
      ->type_name("NAME")
      ->default_str(study.size);
  command
      ->add_option("--task", options->task,
                   "books: the text as it is; distance: with marks strewn in that come again further on")
      ->check(CLI::IsMember({"books", "distance"}))
      ->default_str("books");
  command->add_option("--lambdas", study.lambdas, "λ of the NAtS models, in the paper's scale")
      ->delimiter(',')
      ->type_name("L1,L2,…")
      ->default_str("0,1e-9,5e-9,1e-8,1e-7");
  command->add_option("--seeds", study.seeds, "Trainings of each kind")->capture_default_str();
  command->add_option("--steps", options->steps, "Optimiser steps of each training")->default_str("the size's");
  command->add_option("--test-tokens", options->test_tokens, "Tokens that are scored")->default_str("the size's");
  command
      ->add_option("--score-init", options->score_init,
                   "Standard deviation of the score layers' first weights, which decides what λ = 0 keeps")
      ->default_str("0.02");
  add_threads_option(*command, study.threads);
  command->add_flag("--plan", options->plan, "List the trainings and which are done, and end");
  command->add_flag("--report", options->report, "Write table, JSON and figure of what is done, and end");
  refuse_shared_options(*command, "a study is computed on the CPU, and trains its own models from --seeds seeds");
  command->footer(
      "Each is trained with several seeds and scored token by token through the cache, the full model also under "
      "StreamingLLM and H2O; writes a table, JSON and a figure into --out.\n"
      "NAtS is trained with --local-charge argmax, with which its cache shrinks as λ grows; the paper's rule has rows "
      "of its own, \"NAtS, the paper's charge\".\n"
      "Goes on where it was stopped, with what its folder says where nothing else is given. --lambdas and --seeds are "
      "not remembered and may differ: without them the default ones are trained. Several processes may share one "
      "--out.");
  on_run(
      *command, invocation, [options](CommandContext& context) { return run(*options, context); }, Work::training);
}

}  // namespace natscope
