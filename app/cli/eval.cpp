// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/model_options.h"
#include "app/cli/policy_option.h"
#include "app/cli/terminal.h"
#include "app/cli/text_stream.h"
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

/// Sums over segments; means are taken at the end.
struct Totals {
  double nll = 0;
  std::int64_t predicted = 0;
  std::int64_t segments = 0;
  double fraction = 0;
  double paper_fraction = 0;
  std::array<std::int64_t, role_count> roles{};
  std::vector<double> layer_fraction;
};

/// Negative log-likelihood of `token` under softmax(logits), natural logarithm.
double negative_log_likelihood(std::span<const float> logits, std::int32_t token) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  return highest + std::log(sum) - logits[static_cast<std::size_t>(token)];
}

void count_segment(const Engine& engine, Totals& totals) {
  const SequenceRecord& record = engine.record();
  const auto& geometry = record.geometry();
  const TokenFrame& last = record.frames().back();
  totals.fraction += last.counts.fraction;
  totals.paper_fraction += last.counts.paper_fraction;
  ++totals.segments;
  for (const TokenFrame& frame : record.frames()) {
    for (const Role role : frame.roles) ++totals.roles[static_cast<std::size_t>(role)];
  }
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    std::int64_t held = 0;
    for (std::int32_t head = 0; head < geometry.kv_heads; ++head) {
      held += last.entries[static_cast<std::size_t>(layer * geometry.kv_heads + head)];
    }
    totals.layer_fraction[static_cast<std::size_t>(layer)] +=
        static_cast<double>(held) / static_cast<double>(record.size() * geometry.kv_heads);
  }
}

nlohmann::json as_json(const Totals& totals, const Policy& policy) {
  const auto mean = [&totals](double sum) { return sum / static_cast<double>(totals.segments); };
  const double nll = totals.nll / static_cast<double>(totals.predicted);
  nlohmann::json object;
  object["tokens"] = totals.predicted;
  object["nll"] = nll;
  object["perplexity"] = std::exp(nll);
  object["kv_fraction"] = mean(totals.fraction);
  object["paper_kv_fraction"] = mean(totals.paper_fraction);
  object["policy"] = to_string(policy);
  object["roles"] = nullptr;
  if (policy.kind != Policy::Kind::h2o) {
    const double all = static_cast<double>(totals.roles[0] + totals.roles[1] + totals.roles[2]);
    object["roles"] = {{"global", static_cast<double>(totals.roles[0]) / all},
                       {"local", static_cast<double>(totals.roles[1]) / all},
                       {"sliding", static_cast<double>(totals.roles[2]) / all}};
  }
  auto& layers = object["per_layer_kv_fraction"] = nlohmann::json::array();
  for (const double sum : totals.layer_fraction) layers.push_back(mean(sum));
  object["segments"] = totals.segments;
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

Expected<void> eval_segment(Engine& engine, std::span<const std::int32_t> tokens, const Options& options,
                            const RolePlan& plan, Totals& totals, std::stop_token stop) {
  NATSCOPE_CHECK(engine.start(plan));
  const auto vocab = static_cast<std::size_t>(engine.config().vocab);
  PrefillOptions prefill;
  prefill.chunk = options.chunk;
  prefill.on_logits = [&](TokenPos first, std::int64_t n, std::span<const float> logits) -> Expected<void> {
    for (std::int64_t row = 0; row < n; ++row) {
      const auto next = static_cast<std::size_t>(first.value + row + 1);
      if (next >= tokens.size()) break;
      totals.nll += negative_log_likelihood(logits.subspan(static_cast<std::size_t>(row) * vocab, vocab), tokens[next]);
      ++totals.predicted;
    }
    return {};
  };
  NATSCOPE_CHECK(engine.prefill(tokens, prefill, std::move(stop)));
  count_segment(engine, totals);
  return {};
}

Expected<void> run(const Options& options, CommandContext& context) {
  NATSCOPE_TRY(auto engine, open_engine(options.model, 0, context.stop));
  const std::int64_t model_context = engine->config().context;
  if (options.segment_given && options.segment > model_context) {
    return fail(ErrorCode::prompt_too_long, "--segment is " + std::to_string(options.segment) + ", the context holds " +
                                                std::to_string(model_context), "give a shorter --segment");
  }
  NATSCOPE_TRY(const auto stream, read_token_stream(engine->folder(), options.files, options.tokens_max));
  const auto segments = cut_segments(stream, std::min(options.segment, model_context));
  if (segments.empty() || segments.front().size() < 2) {
    return fail(ErrorCode::bad_text, "the text is too short to predict a token of it", "give a longer text");
  }
  RolePlan plan;
  NATSCOPE_TRY(plan.policy, options.policy.policy(static_cast<std::int64_t>(segments.front().size())));

  Totals totals;
  totals.layer_fraction.resize(static_cast<std::size_t>(engine->config().layers));
  ProgressBar bar("eval", "segments");
  for (const auto segment : segments) {
    NATSCOPE_CHECK(eval_segment(*engine, segment, options, plan, totals, context.stop));
    bar.update(totals.segments, static_cast<std::int64_t>(segments.size()));
  }
  bar.clear();
  const auto result = as_json(totals, plan.policy);
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
