// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/model_options.h"
#include "app/cli/policy_option.h"
#include "app/cli/terminal.h"
#include "app/cli/text_stream.h"
#include "core/engine/text_score.h"
#include "core/io/model_folder.h"

namespace natscope {
namespace {

struct Options {
  ModelOptions model;
  PolicyOption policy;
  std::vector<std::string> files;
  std::int64_t segment = 1024;
  bool segment_given = false;
  std::int64_t tokens_max = 0;
  std::int64_t chunk = 512;
};

nlohmann::json as_json(const TextScore& score, const Policy& policy) {
  nlohmann::json object;
  object["tokens"] = score.predicted;
  object["nll"] = score.mean_nll();
  object["perplexity"] = score.perplexity();
  object["kv_fraction"] = score.kv_fraction();
  object["paper_kv_fraction"] = score.paper_kv_fraction();
  object["policy"] = to_string(policy);
  object["roles"] = nullptr;
  if (policy.kind != Policy::Kind::h2o) {
    object["roles"] = {{"global", score.role_share(Role::global)},
                       {"local", score.role_share(Role::local)},
                       {"sliding", score.role_share(Role::sliding)}};
  }
  auto& layers = object["per_layer_kv_fraction"] = nlohmann::json::array();
  for (const double sum : score.layer_fraction) layers.push_back(sum / static_cast<double>(score.segments));
  object["segments"] = score.segments;
  return object;
}

std::string as_text(const nlohmann::json& result) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(),
                "policy            %s\n"
                "tokens predicted  %s in %s segments\n"
                "perplexity        %.4f   (%.4f nats a token)\n"
                "KV fraction       %.2f %%   (paper's: %.2f %%)\n",
                result.at("policy").get<std::string>().c_str(), with_separators(result.at("tokens")).c_str(),
                with_separators(result.at("segments")).c_str(), result.at("perplexity").get<double>(),
                result.at("nll").get<double>(), 100 * result.at("kv_fraction").get<double>(),
                100 * result.at("paper_kv_fraction").get<double>());
  std::string out = text.data();
  if (!result.at("roles").is_null()) {
    const auto& roles = result.at("roles");
    std::snprintf(text.data(), text.size(), "roles             %.1f %% Global, %.1f %% Local, %.1f %% Sliding\n",
                  100 * roles.at("global").get<double>(), 100 * roles.at("local").get<double>(),
                  100 * roles.at("sliding").get<double>());
    out += text.data();
  }
  int layer = 0;
  for (const auto& fraction : result.at("per_layer_kv_fraction")) {
    std::snprintf(text.data(), text.size(), "layer %3d         %.2f %%\n", layer++, 100 * fraction.get<double>());
    out += text.data();
  }
  return out;
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  const std::int64_t model_context = engine->config().context;
  if (options.segment_given && options.segment > model_context) {
    return fail(
        ErrorCode::prompt_too_long,
        "--segment is " + std::to_string(options.segment) + ", the context holds " + std::to_string(model_context),
        "give a shorter --segment");
  }
  NATSCOPE_TRY(const auto stream, read_token_stream(engine->folder(), options.files, options.tokens_max));
  const auto segments = cut_segments(stream, std::min(options.segment, model_context));
  if (segments.empty() || segments.front().size() < 2) {
    return fail(ErrorCode::bad_text, "the text is too short to predict a token of it", "give a longer text");
  }
  ScoreOptions scoring;
  scoring.chunk = options.chunk;
  NATSCOPE_TRY(scoring.plan.policy, options.policy.policy(static_cast<std::int64_t>(segments.front().size())));

  TextScore score;
  ProgressBar bar("eval", "segments");
  for (const auto segment : segments) {
    NATSCOPE_CHECK(score_segment(*engine, segment, scoring, score, context.stop));
    bar.update(score.segments, static_cast<std::int64_t>(segments.size()));
  }
  bar.clear();
  const auto result = as_json(score, scoring.plan.policy);
  return context.json ? print_json(result) : print_text(as_text(result));
}

}  // namespace

void add_eval_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = root.add_subcommand("eval", "Perplexity and KV fraction of text under a cache policy");
  command->add_option("--text", options->files, "Text file (several: one stream)")->required()->type_name("FILE");
  options->model.add_to(*command);
  options->policy.add_to(*command);
  CLI::Option* segment = command
                             ->add_option("--segment", options->segment,
                                          "Tokens a segment, each with a fresh cache; at most the model's context")
                             ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 31U))
                             ->type_name("N")
                             ->capture_default_str();
  command->add_option("--tokens-max", options->tokens_max, "Cut the text after N tokens; 0: all of it")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40U))
      ->type_name("N")
      ->capture_default_str();
  add_chunk_option(*command, options->chunk);
  on_run(*command, invocation, [options, segment](CommandContext& context) {
    options->segment_given = segment->count() > 0;
    return run(*options, context);
  });
}

}  // namespace natscope
