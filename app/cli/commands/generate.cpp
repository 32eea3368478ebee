// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/commands/live_table.h"
#include "app/cli/commands/watched_prefill.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/flags/policy_flag.h"
#include "app/cli/flags/sampling_flags.h"
#include "app/cli/flags/text_flags.h"

namespace natscope {
namespace {

struct Options {
  ModelFlags model;
  TextFlags text;
  SamplingFlags sampling;
  PolicyFlag policy;
  std::int64_t max_new_tokens = 200;
  std::int64_t chunk = 512;
  std::vector<std::string> stop_strings;
  bool live = false;
};

double rate(double tokens, double seconds) { return seconds > 0 ? tokens / seconds : 0; }

nlohmann::json as_json(const CacheCounts& counts) {
  return {{"entries", counts.entries},       {"dense_bytes", counts.dense_bytes},
          {"live_bytes", counts.live_bytes}, {"allocated_bytes", counts.allocated_bytes},
          {"fraction", counts.fraction},     {"paper_fraction", counts.paper_fraction}};
}

/// What the model wrote for one text that it was given.
struct Answer {
  std::int64_t prompt_tokens = 0;  ///< all that stood before it
  GenerateResult result;
  CacheCounts counts;  ///< behind it
};

nlohmann::json as_json(const Answer& answer) {
  return {{"text", answer.result.text},
          {"tokens", answer.result.tokens},
          {"prompt_tokens", answer.prompt_tokens},
          {"stop_reason", name(answer.result.reason)},
          {"kv", as_json(answer.counts)}};
}

/// The numbers of the last answer, the rates of all of them; of a conversation each by itself, too.
nlohmann::json as_json(const std::vector<Answer>& answers, const Engine& engine, const Policy& policy,
                       bool is_conversation) {
  nlohmann::json object = as_json(answers.back());
  double decode_s = 0;
  double generated = 0;
  for (const Answer& answer : answers) {
    decode_s += answer.result.decode_s;
    generated += static_cast<double>(answer.result.tokens.size());
  }
  const double given = static_cast<double>(engine.record().size()) - generated;
  object["prefill_tokens_per_s"] = rate(given, engine.prefill_s());
  object["decode_tokens_per_s"] = rate(generated, decode_s);
  object["policy"] = to_string(policy);
  if (!is_conversation) return object;
  for (const Answer& answer : answers) object["turns"].push_back(as_json(answer));
  return object;
}

Expected<void> run(const Options& options, CommandContext& context) {
  // What the flags alone have wrong need not wait for the model.
  NATSCOPE_CHECK(options.policy.parsed());
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  NATSCOPE_TRY(const auto sampling,
               options.sampling.options(engine->folder().generation_defaults(), options.model.seed));
  NATSCOPE_TRY(std::vector<std::int32_t> given, options.text.tokens(*engine));
  NATSCOPE_TRY(const std::int64_t texts, options.text.tokens_with_follow_ups(*engine, given));
  const auto turns = static_cast<std::int64_t>(options.text.follow_ups()) + 1;
  RolePlan plan;
  NATSCOPE_TRY(plan.policy, options.policy.policy(std::min<std::int64_t>(texts + turns * options.max_new_tokens,
                                                                         engine->config().context)));
  NATSCOPE_CHECK(engine->start(plan));

  LiveTable table(options.live, to_string(plan.policy));
  GenerateOptions generate;
  generate.max_new_tokens = options.max_new_tokens;
  generate.sampling = sampling;
  generate.stop_strings = options.stop_strings;
  generate.candidates = 0;
  // Nobody reads what cannot be written: then the work ends, too.
  std::stop_source unread;
  const std::stop_callback interrupted(context.stop, [&unread] { unread.request_stop(); });
  if (!context.json) {
    generate.on_token = [&](const TokenFrame&, std::string_view text) {
      table.show(text, engine->record());
      if (!table.written()) unread.request_stop();
    };
  }
  std::vector<Answer> answers;
  // What was answered till then is not lost.
  const auto end_with = [&](Error error) -> Expected<void> {
    if (context.json && !answers.empty()) NATSCOPE_CHECK(print_json(as_json(answers, *engine, plan.policy, turns > 1)));
    return Unexpected(std::move(error));
  };
  for (;;) {
    PrefillOptions prefill;
    prefill.chunk = options.chunk;
    if (auto read = watched_prefill(*engine, given, std::move(prefill), context.stop); !read)
      return end_with(std::move(read).error());
    const std::int64_t prompt_tokens = engine->record().size();
    auto result = engine->generate(generate, unread.get_token());
    if (!result) return end_with(std::move(result).error());
    const Answer& answer = answers.emplace_back(Answer{prompt_tokens, *std::move(result), engine->counts()});
    if (!context.json) {
      table.finish(engine->record());
      NATSCOPE_CHECK(table.written());
      if (answer.result.reason == StopReason::context_full)
        note_full_context(*engine, std::ssize(answer.result.tokens), options.max_new_tokens);
    }
    if (answer.result.reason == StopReason::interrupted || answers.size() > options.text.follow_ups()) break;
    if (!context.json) std::puts("");
    auto next = options.text.follow_up(*engine, answers.size() - 1);
    if (!next) return end_with(std::move(next).error());
    given = *std::move(next);
  }
  if (context.json) {
    table.conclude(engine->record());
    NATSCOPE_CHECK(print_json(as_json(answers, *engine, plan.policy, turns > 1)));
  }
  if (answers.back().result.reason == StopReason::interrupted) {
    return fail(ErrorCode::interrupted,
                "generation was stopped after " + std::to_string(answers.back().result.tokens.size()) + " tokens");
  }
  return {};
}

}  // namespace

void add_generate_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "generate", "Stream text from a model");
  options->text.add_to(*command);
  options->model.add_to(*command);
  options->policy.add_to(*command);
  options->sampling.add_to(*command);
  command->add_option("--max-new-tokens", options->max_new_tokens, "Stop after N tokens")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31U))
      ->type_name("N")
      ->capture_default_str();
  add_chunk_option(*command, options->chunk);
  command->add_option("--stop", options->stop_strings, "Stop at this text; it is not printed")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command->add_flag("--live", options->live,
                    "Show the KV-cache accounting under the text while it runs; beside --json on stderr at the end");
  command->footer(
      "With --then, --json has turns: an object for each answer, with its text, tokens, prompt_tokens (all that stood "
      "before it), stop_reason and kv. Those beside turns are the last answer's, the rates those of all.");
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
