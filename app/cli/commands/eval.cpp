// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/commands/drawn_figure.h"
#include "app/cli/commands/eval_report.h"
#include "app/cli/commands/picture_name.h"
#include "app/cli/flags/baseline_flags.h"
#include "app/cli/flags/figure_flags.h"
#include "app/cli/flags/input_files.h"
#include "app/cli/flags/length_flag.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/flags/role_flags.h"
#include "app/cli/terminal/note.h"
#include "app/cli/terminal/terminal.h"
#include "app/cli/terminal/text_stream.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/export/trade_off_chart.h"
#include "core/io/model_folder.h"
#include "core/model/context_hint.h"

namespace natscope {
namespace {

struct Options {
  ModelFlags model;
  RoleFlags roles;
  PolicyListFlag policies;
  BaselineFlags baselines;
  std::vector<std::string> files;
  std::string csv;
  std::string per_token;
  std::string vocabulary;
  std::string figure;
  std::optional<double> width;  ///< of the figure, points
  FigureFlags drawing;
  std::int64_t segment = 1024;
  bool segment_given = false;
  std::int64_t tokens_max = 0;
  std::int64_t read = 0;  ///< of a segment, as a prompt; 0: none
  std::int64_t chunk = 512;
};

Unexpected no_prompt(const std::string& what) {
  return fail(ErrorCode::usage, what + " drops nothing but behind a prompt, and a segment has none",
              "say with --read N how many tokens of each segment are read as its prompt");
}

/// What the flags alone have wrong need not wait for the model. Errors: usage.
Expected<void> check_policies(const Options& options) {
  NATSCOPE_TRY(const std::vector<Policy> policies, options.policies.parsed());
  for (const Policy& policy : policies) {
    NATSCOPE_CHECK(options.roles.check(policy));
    if (options.read == 0 && drops_behind_prompt(policy)) return no_prompt("--policy " + to_string(policy));
  }
  const std::string behind_prompt = options.baselines.named_behind_prompt();
  if (options.read == 0 && !behind_prompt.empty()) return no_prompt("--baselines " + behind_prompt);
  if (options.read >= options.segment) {
    return fail(ErrorCode::usage,
                "--read " + std::to_string(options.read) + " leaves no token of a segment of " +
                    std::to_string(options.segment) + " to predict",
                "read fewer as its prompt, or give a longer --segment");
  }
  return options.baselines.check();
}

/// A family of policies, as family_look() tells them apart, and what it is called in the figure.
struct SeriesLabel {
  std::string policy;
  std::string name;
};

/// Errors: usage.
Expected<SeriesLabel> parsed_label(const std::string& text) {
  const std::size_t at = text.find('=');
  SeriesLabel label{text.substr(0, at), at == std::string::npos ? std::string() : text.substr(at + 1)};
  if (at != std::string::npos && !label.name.empty() && family_look(label.policy) >= 0) return label;
  return fail(ErrorCode::usage, "--label " + printable(text, 60) + " names no policy's series",
              "write for example streaming=StreamingLLM; before it " + policies_in_words());
}

/// Errors: usage (the ending is no picture's, a build that draws none, a width or label of nothing).
Expected<void> check_figure(const Options& options) {
  const std::string& path = options.figure;
  const std::string given = options.width ? "--width" : options.drawing.first_given();
  if (path.empty() && !given.empty())
    return fail(ErrorCode::usage, given + " is that of --figure, which is not given", "add --figure, or leave it out");
  NATSCOPE_CHECK(options.drawing.check());
  for (const std::string& label : options.drawing.labels) NATSCOPE_CHECK(parsed_label(label));
  return path.empty() ? Expected<void>() : check_picture_name(path);
}

/// Hours of work must not end at a name, nor at the text that they began with. Errors: usage, those of the target.
Expected<void> check_files(const Options& options) {
  std::vector<InputFile> inputs = options.model.input_files();
  for (const std::string& file : options.files) inputs.push_back({"--text", file});
  if (!options.roles.file().empty()) inputs.push_back({"--roles", options.roles.file()});
  return check_outputs({{"--csv", options.csv},
                        {"--per-token", options.per_token},
                        {"--vocabulary", options.vocabulary},
                        {"--figure", options.figure}},
                       inputs);
}

Expected<EvaluatedText> cut_text(const Options& options, std::span<const std::int32_t> stream, std::int64_t context) {
  EvaluatedText text;
  text.segments = cut_segments(stream, std::min(options.segment, context));
  if (text.segments.empty() || text.segments.front().size() < 2) {
    return fail(ErrorCode::bad_text, "the text is too short to predict a token of it", "give a longer text");
  }
  text.prompt_tokens = options.read;
  if (const std::int64_t tokens = std::ssize(text.segments.front()); options.read >= tokens) {
    return fail(ErrorCode::bad_text,
                "--read " + std::to_string(options.read) + " leaves no token to predict: a segment has " +
                    std::to_string(tokens) + " tokens",
                "read fewer as its prompt, or give a longer text");
  }
  text.tokens_left_out = static_cast<std::int64_t>(stream.size());
  for (const auto segment : text.segments) text.tokens_left_out -= static_cast<std::int64_t>(segment.size());
  if (options.roles.has_roles() && text.segments.size() > 1) {
    return fail(ErrorCode::usage,
                "--force and --roles set the roles of one text, this one is cut into " +
                    std::to_string(text.segments.size()) + " segments",
                "cut it to one with --tokens-max, or make the segment longer");
  }
  return text;
}

Expected<std::vector<EvaluatedPolicy>> planned(const Options& options, const EvaluatedText& text,
                                               const ModelConfig& config) {
  const auto tokens = static_cast<std::int64_t>(text.segments.front().size());
  std::vector<EvaluatedPolicy> policies;
  for (const PolicyFlag& option : options.policies.each()) {
    NATSCOPE_TRY(const Policy policy, option.policy(tokens));
    NATSCOPE_TRY(policies.emplace_back().plan, options.roles.plan(policy, tokens, config.layers, config.kv_heads));
  }
  return policies;
}

/// Baselines at the budgets that were asked for, behind what is there: those that are not measured anyway. What was set
/// by hand is not theirs.
void add_baselines(const Options& options, const EvaluatedText& text, std::vector<EvaluatedPolicy>& policies) {
  const auto tokens = static_cast<std::int64_t>(text.segments.front().size());
  // What full attention holds is no budget.
  const auto drops = [](const EvaluatedPolicy& policy) { return policy.score.kv_fraction() < 1; };
  const auto reference = std::ranges::find_if(policies, drops);
  const TextScore& as_much_as = (reference == policies.end() ? policies.front() : *reference).score;
  for (Policy& baseline : options.baselines.policies(as_much_as.kv_fraction(), as_much_as.mean_kv_fraction(), tokens,
                                                     text.prompt_tokens)) {
    const auto is_it = [&](const EvaluatedPolicy& policy) { return policy.plan.policy == baseline; };
    if (std::ranges::none_of(policies, is_it)) policies.emplace_back().plan.policy = std::move(baseline);
  }
}

/// The figure has the numbers that it is drawn from in its metadata.
Expected<void> draw_trade_off(const Options& options, const std::vector<nlohmann::json>& results,
                              const EvaluatedText& text, const ModelFolder& model) {
  std::vector<PolicyOutcome> outcomes;
  for (const nlohmann::json& result : results) {
    const bool is_full = result.at("policy") == "model" && !model.has_score_layers();
    const auto& error = result.at("nll_standard_error");
    outcomes.push_back({is_full ? std::string("full") : result.at("policy").get<std::string>(),
                        result.at("kv_fraction"),
                        result.at("perplexity"),
                        {},
                        error.is_null() ? 0 : error.get<double>()});
  }
  SeriesChart chart = trade_off_chart(outcomes, text.trained_with.value_or(std::string()));
  const nlohmann::json provenance = {
      {"natscope_version", NATSCOPE_VERSION}, {"model_sha256", model.sha256()}, {"results", results}};
  chart.provenance = provenance.dump();
  for (const std::string& each : options.drawing.labels) {
    NATSCOPE_TRY(const SeriesLabel label, parsed_label(each));
    bool is_there = false;
    for (ChartSeries& series : chart.series) {
      if (series.look != family_look(label.policy)) continue;
      series.name = label.name;
      is_there = true;
    }
    if (!is_there) print_note("--label " + each + ": no such policy was measured");
  }
  DrawnFigureOptions drawn;
  drawn.width = options.width.value_or(0);
  drawn.title = options.drawing.title;
  drawn.font_size = options.drawing.font_size;
  return draw_chart_file(chart, drawn, options.figure);
}

Expected<void> evaluate(Engine& engine, const Options& options, const EvaluatedText& text, EvaluatedPolicy& policy,
                        const std::string& label, const std::stop_token& stop) {
  ScoreOptions scoring;
  scoring.chunk = options.chunk;
  scoring.plan = policy.plan;
  scoring.prompt_tokens = text.prompt_tokens;
  if (!options.per_token.empty())
    scoring.on_token = [&policy](const PredictedToken& token) { policy.nll.push_back(token.nll); };
  ProgressBar bar(label, "segments");
  for (const auto segment : text.segments) {
    NATSCOPE_CHECK(score_segment(engine, segment, scoring, policy.score, stop));
    if (!options.vocabulary.empty()) policy.vocabulary.add(engine.record());
    bar.update(policy.score.segments, static_cast<std::int64_t>(text.segments.size()));
  }
  return {};
}

Expected<void> write_files(const Options& options, const std::vector<nlohmann::json>& results,
                           const EvaluatedText& text, const std::vector<EvaluatedPolicy>& policies,
                           const Engine& engine) {
  if (!options.per_token.empty())
    NATSCOPE_CHECK(write_per_token(options.per_token, text, policies, engine.tokenizer()));
  if (!options.vocabulary.empty()) NATSCOPE_CHECK(write_vocabularies(options.vocabulary, policies, engine.tokenizer()));
  if (!options.csv.empty()) NATSCOPE_CHECK(write_file_atomically(options.csv, eval_csv(results)));
  if (!options.figure.empty()) return draw_trade_off(options, results, text, engine.folder());
  return {};
}

Expected<void> print_results(const CommandContext& context, const std::vector<nlohmann::json>& results,
                             const EvaluatedText& text, const std::vector<EvaluatedPolicy>& policies) {
  const std::string note = training_note(text, policies);
  if (!note.empty()) print_note(note);
  const bool is_one = results.size() == 1;
  if (!context.json) return print_text(is_one ? eval_text(results.front()) : eval_table(results));
  if (text.tokens_left_out > 0) {
    print_note(grouped_digits(text.tokens_left_out) +
               (text.tokens_left_out == 1 ? " token at the end is" : " tokens at the end are") +
               " left out: less than a segment");
  }
  return print_json(is_one ? results.front() : nlohmann::json(results));
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_CHECK(check_policies(options));
  NATSCOPE_CHECK(check_figure(options));
  NATSCOPE_CHECK(check_files(options));
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  const std::int64_t model_context = engine->config().context;
  if (options.segment_given && options.segment > model_context) {
    return fail(
        ErrorCode::prompt_too_long,
        "--segment is " + std::to_string(options.segment) + ", the context holds " + std::to_string(model_context),
        context_hint(engine->config(), "give a shorter --segment"));
  }
  NATSCOPE_TRY(const auto stream, read_token_stream(engine->folder(), options.files, options.tokens_max));
  NATSCOPE_TRY(EvaluatedText text, cut_text(options, stream, model_context));
  text.trained_with = trained_with(engine->folder());
  NATSCOPE_TRY(auto policies, planned(options, text, engine->config()));

  std::vector<nlohmann::json> results;
  const std::size_t named = policies.size();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    EvaluatedPolicy& policy = policies[i];
    std::string label = "eval";
    if (policies.size() > 1) {
      label +=
          " " + std::to_string(i + 1) + "/" + std::to_string(policies.size()) + " " + to_string(policy.plan.policy);
    }
    NATSCOPE_CHECK(evaluate(*engine, options, text, policy, label, context.stop));
    results.push_back(eval_json(policy, policies.front(), text));
    if (i + 1 == named) add_baselines(options, text, policies);
  }
  // What hours of work have found is said even where a file of it cannot be written.
  const Expected<void> written = write_files(options, results, text, policies, *engine);
  NATSCOPE_CHECK(print_results(context, results, text, policies));
  return written;
}

}  // namespace

void add_eval_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "eval", "Perplexity and KV fraction of text under cache policies");
  command->add_option("--text", options->files, "Text file, up to 1 GiB; several are one stream; -: standard input")
      ->required()
      ->type_name("FILE");
  options->model.add_to(*command);
  options->policies.add_to(*command, "are measured one after another on the same text");
  options->baselines.add_to(
      *command, {"Also measure baselines that hold these shares of a segment, behind the other policies: 0.125, or "
                 "as much as the first policy that drops something: same, after a segment's last token; mean, over "
                 "all steps; between commas",
                 "with --read, of what it reads, ", true});
  options->roles.add_to(*command);
  CLI::Option* segment =
      command
          ->add_option("--segment", options->segment,
                       "Tokens a segment, each with a fresh cache; at most the model's context. What "
                       "is left at the end is not read, unless it is all there is")
          ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 31U))
          ->type_name("N")
          ->capture_default_str();
  command->add_option("--tokens-max", options->tokens_max, "Cut the text after N tokens; 0: all of it")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40U))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--read", options->read,
                   "Read the first N tokens of each segment as a prompt, under every policy; only those behind it are "
                   "predicted. Policies that drop behind a prompt need it: snapkv, pyramidkv and adakv")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31U))
      ->type_name("N");
  add_chunk_option(*command, options->chunk);
  command->add_option("--csv", options->csv, "Write the result there, too: a line for each policy")->type_name("FILE");
  command
      ->add_option("--per-token", options->per_token,
                   "Write the loss of each predicted token there, as csv: segment, position, token, text and nll (in "
                   "nats); with several policies an nll for each")
      ->type_name("FILE");
  command
      ->add_option("--vocabulary", options->vocabulary,
                   "Write there, as csv, which tokens of the vocabulary were kept: how often each occurred, its roles, "
                   "life, share of the cache and mean loss over all segments and heads, as export --kind vocabulary "
                   "says them of one text")
      ->type_name("FILE");
  command
      ->add_option(
          "--figure", options->figure,
          "Draw there, as svg, pdf or png, the perplexity of every policy against its KV fraction; the numbers "
          "are in its metadata; bars are standard errors over segments")
      ->type_name("FILE");
  add_width_option(*command, options->width, "Width of --figure, 60mm to 2000mm, for example 89mm, 3.5in or 252pt", 60);
  options->drawing.add_to(
      *command, "What the series of a policy is called in --figure: " + policies_in_words() + ", then its name",
      "POLICY=NAME");
  command->footer(
      "KV fraction is what the cache holds after a segment's last token, of what full attention would hold, on average "
      "over segments, layers and heads; the mean over steps is of all entries that were held while the text was read.\n"
      "With --read both are of whole segments, prompts included; tokens, losses, their errors and --per-token are of "
      "what "
      "stands behind the prompts, whose last token predicts the first of them.\n"
      "With several policies --json prints an array. --window, --force and --roles are not for "
      "what --budgets adds; --force and --roles are for a text of one segment.\n"
      "What learned roles are worth at their own budget: natscope-cli eval --text FILE --policy model --policy full "
      "--budgets same --figure trade.svg");
  on_run(*command, invocation, [options, segment](CommandContext& context) {
    options->segment_given = segment->count() > 0;
    return run(*options, context);
  });
}

}  // namespace natscope
