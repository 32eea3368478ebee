// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/commands/answer_report.h"
#include "app/cli/flags/ask_flag.h"
#include "app/cli/flags/chat_flags.h"
#include "app/cli/flags/input_files.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/terminal/note.h"
#include "app/cli/terminal/standard_input.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/engine/answer_score.h"
#include "core/engine/engine.h"
#include "core/engine/question_set.h"
#include "core/model/context_hint.h"
#include "core/tokenizer/follow_up_tokens.h"

namespace natscope {
namespace {

constexpr std::uint64_t max_questions_bytes = 1ULL << 30U;

struct Options {
  ModelFlags model;
  ChatFlags chat;
  std::string questions;
  PolicyListFlag policies;
  AskFlag ask;
  std::string match = "any";
  std::int64_t max_new_tokens = 64;
  std::int64_t chunk = 512;
  std::vector<std::string> stop_strings;
  std::string csv;
  std::string answers;
};

/// What the flags alone have wrong need not wait for the model. Errors: usage, those of the targets.
Expected<void> check_flags(const Options& options) {
  NATSCOPE_CHECK(options.policies.parsed());
  std::vector<InputFile> inputs = options.model.input_files();
  inputs.push_back({"--questions", options.questions});
  return check_outputs({{"--csv", options.csv}, {"--answers", options.answers}}, inputs);
}

Expected<std::vector<Question>> questions_of(const Options& options) {
  NATSCOPE_TRY(const std::string text, read_text_input(options.questions, max_questions_bytes));
  return read_questions(text, options.questions);
}

/// Errors: usage (a question that has nothing to come behind).
Expected<void> check_place(const Options& options, const std::vector<Question>& questions) {
  if (options.ask.places().front() == QuestionPlace::within) return {};
  const auto found = std::ranges::find_if(questions, [](const Question& question) { return question.context.empty(); });
  if (found == questions.end()) return {};
  return fail(ErrorCode::usage,
              "--ask behind: " + found->where + " has no \"context\" that its question could come behind",
              "give every line a context, or leave --ask out");
}

AnswerMatch match_of(const std::string& name) {
  if (name == "f1") return AnswerMatch::f1;
  return name == "all" ? AnswerMatch::all : AnswerMatch::any;
}

/// A question's text in tokens, which are the same wherever the prompt ends. Errors: bad_data (a chat template that
/// changes the context), those of chat templates and tokens.
Expected<AskedText> asked_text(const Engine& engine, PromptForm& form, const Question& question, QuestionPlace place) {
  NATSCOPE_TRY(const std::string turn, form.prompt(question.context + question.prompt));
  const std::string text = turn + question.answer_prefix;
  AskedText asked;
  if (question.context.empty()) {
    NATSCOPE_TRY(asked.tokens, engine.tokenize(text));
    asked.prompt_tokens = std::ssize(asked.tokens);
    return asked;
  }
  const std::size_t context = turn.rfind(question.context);
  if (context == std::string::npos) {
    return fail(ErrorCode::bad_data, "the chat template changes the context, so that its end is not found",
                "give it without blanks and line breaks at its ends");
  }
  const std::size_t end = context + question.context.size();
  NATSCOPE_TRY(asked.tokens, engine.tokenize(text.substr(0, end)));
  asked.prompt_tokens = std::ssize(asked.tokens);
  NATSCOPE_TRY(const auto behind, follow_up_tokens(engine.tokenizer(), asked.tokens.back(), text.substr(end)));
  asked.tokens.insert(asked.tokens.end(), behind.begin(), behind.end());
  if (place == QuestionPlace::within) asked.prompt_tokens = std::ssize(asked.tokens);
  NATSCOPE_CHECK(check_fits(std::ssize(asked.tokens), engine.config()));
  return asked;
}

/// Every question's tokens, so that the last one's mistake shows before the first one's work.
Expected<std::vector<AskedText>> read_prompts(const Engine& engine, const Options& options,
                                              const std::vector<Question>& questions) {
  NATSCOPE_TRY(PromptForm form, options.chat.form(engine.folder()));
  std::vector<AskedText> all;
  for (const Question& question : questions) {
    auto asked = asked_text(engine, form, question, options.ask.places().front());
    if (!asked) return fail(asked.error().code, question.where + ": " + asked.error().message, asked.error().hint);
    all.push_back(*std::move(asked));
  }
  return all;
}

/// What each policy is for the longest that a question's text can get. Errors: usage, bad_position.
Expected<std::vector<AnsweredPolicy>> planned(const Options& options, std::int64_t longest) {
  std::vector<AnsweredPolicy> policies;
  for (const PolicyFlag& option : options.policies.each()) {
    AnsweredPolicy& policy = policies.emplace_back();
    policy.match = options.match;
    policy.ask = options.ask.places().front();
    NATSCOPE_TRY(policy.policy, option.policy(longest));
  }
  return policies;
}

/// Why some answers may be wrong that a longer context would have had right; empty: none is.
std::string context_note(const std::vector<AnsweredPolicy>& policies, std::int64_t context) {
  std::int64_t cut = 0;
  for (const AnsweredPolicy& policy : policies) {
    cut += std::ranges::count(policy.answers, StopReason::context_full, &WrittenAnswer::reason);
  }
  if (cut == 0) return {};
  return grouped_digits(cut) + (cut == 1 ? " answer was cut: " : " answers were cut: ") + "the context of " +
         grouped_digits(context) + " is full";
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_CHECK(check_flags(options));
  NATSCOPE_TRY(const auto questions, questions_of(options));
  NATSCOPE_CHECK(check_place(options, questions));
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  NATSCOPE_TRY(const auto prompts, read_prompts(*engine, options, questions));
  const auto tokens = [](const AskedText& asked) { return std::ssize(asked.tokens); };
  const std::int64_t longest = tokens(std::ranges::max(prompts, {}, tokens));
  const std::int64_t model_context = engine->config().context;
  NATSCOPE_TRY(auto policies, planned(options, std::min(longest + options.max_new_tokens, model_context)));

  const AnswerMatch match = match_of(options.match);
  std::vector<nlohmann::json> results;
  for (AnsweredPolicy& policy : policies) {
    AnswerOptions answering{{}, options.chunk, options.max_new_tokens, options.stop_strings};
    answering.plan.policy = policy.policy;
    ProgressBar bar(policies.size() == 1 ? "answer" : "answer " + to_string(policy.policy), "questions");
    for (std::size_t i = 0; i < questions.size(); ++i) {
      NATSCOPE_TRY(WrittenAnswer answer, written_answer(*engine, prompts[i], answering, context.stop));
      policy.right.push_back(rightness(answer.text, questions[i], match));
      policy.answers.push_back(std::move(answer));
      bar.update(static_cast<std::int64_t>(i) + 1, static_cast<std::int64_t>(questions.size()));
    }
    results.push_back(answer_json(policy));
  }
  if (!options.answers.empty()) NATSCOPE_CHECK(write_answers(options.answers, questions, policies));
  if (!options.csv.empty()) NATSCOPE_CHECK(write_file_atomically(options.csv, answer_csv(results)));
  const std::string note = context_note(policies, model_context);
  if (!note.empty()) print_note(note);
  if (!context.json) return print_text(answer_table(results));
  return print_json(results.size() == 1 ? results.front() : nlohmann::json(results));
}

}  // namespace

void add_answer_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "answer", "Answers to a file's questions under cache policies");
  command
      ->add_option(
          "--questions", options->questions,
          "A *.jsonl file, a question a line: {\"prompt\": …, \"answer\": …}, or a list of \"answers\"; \"context\", a "
          "text that stands in front of the prompt, RULER's and LongBench's \"input\", \"answer_prefix\" and "
          "\"outputs\", and \"question\" are read, too; -: standard input")
      ->required()
      ->type_name("FILE");
  options->chat.add_to(*command, "each prompt");
  options->model.add_to(*command);
  options->policies.add_to(*command, "answer one after another");
  options->ask.add_to(*command, "a question's \"context\"", false);
  command
      ->add_option(
          "--match", options->match,
          "any: right is who writes one of the answers; all: counts the share of them that is written; f1: the "
          "words that are written and the best answer's, as SQuAD and LongBench count them")
      ->check(CLI::IsMember({"any", "all", "f1"}))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--max-new-tokens", options->max_new_tokens, "Write at most N tokens")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31U))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--stop", options->stop_strings, "Stop at this text; it does not count")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  add_chunk_option(*command, options->chunk);
  command->add_option("--csv", options->csv, "Write the result there, too: a line for each policy")->type_name("FILE");
  command
      ->add_option("--answers", options->answers,
                   "Write there, as csv, what was written: a line for each question under each policy")
      ->type_name("FILE");
  command->footer(
      "Every prompt is read with a fresh cache, and the likeliest token written each time. An answer counts wherever "
      "it stands in what was written; capital and small letters of ASCII are the same. For f1 only words count: not "
      "punctuation, and neither a, an nor the. KV fraction is what the cache "
      "holds after the last token that is read, of what full attention would hold.\nWith --ask behind, of questions "
      "with a \"context\", SnapKV, PyramidKV and "
      "Ada-KV drop before they are read; the tokens are the same.\nWith several policies --json prints an array.");
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
