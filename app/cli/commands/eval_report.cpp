// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/eval_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/terminal/report_numbers.h"
#include "app/cli/terminal/screen_text.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/engine/training_policy.h"
#include "core/export/vocabulary_table.h"
#include "core/io/model_folder.h"
#include "core/session/provenance.h"
#include "core/tokenizer/streaming_decoder.h"

namespace natscope {
namespace {

using nlohmann::json;

constexpr std::size_t most_named = 4;  // policies in a note

double percent(const json& share) { return 100 * share.get<double>(); }

/// "streaming:4,60", "model (2 roles set by hand)".
std::string name_of(const json& result) {
  const auto name = result.at("policy").get<std::string>();
  if (result.at("set_by_hand").is_null()) return name;
  return name + " (" + result.at("set_by_hand").get<std::string>() + ")";
}

/// " ± 0.61": of a number whose logarithm has that standard error; empty where it is not known.
std::string plus_minus(const json& error_of_log, double number, int decimals) {
  return error_of_log.is_null() ? "" : formatted(" ± %.*f", decimals, number * error_of_log.get<double>());
}

/// With spaces behind it; ± is one character of two bytes.
std::string widened(std::string text, std::size_t characters) {
  const std::size_t have = text.empty() ? 0 : text.size() - 1;
  return text + std::string(characters - std::min(characters, have), ' ');
}

std::string text_line(const json& result) {
  const std::int64_t segments = result.at("segments");
  std::string line = "tokens predicted  " + grouped_digits(result.at("tokens")) + " in " + grouped_digits(segments) +
                     (segments == 1 ? " segment\n" : " segments\n");
  if (result.contains("read"))
    line += "read before them  " + grouped_digits(result.at("read")) + " of each segment, as its prompt\n";
  if (const std::int64_t left_out = result.at("tokens_left_out"); left_out > 0)
    line += "left out          " + grouped_digits(left_out) + (left_out == 1 ? " token" : " tokens") +
            " at the end, less than a segment\n";
  return line;
}

}  // namespace

std::optional<std::string> trained_with(const ModelFolder& folder) {
  if (folder.has_score_layers()) {
    // Score layers alone leave the model under them as it was.
    const auto& adapter = folder.adapter();
    const bool is_taught = adapter && adapter->nats && !adapter->lora;
    return is_taught ? std::nullopt : std::optional<std::string>("model");
  }
  return training_policy(folder);
}

json eval_json(const EvaluatedPolicy& policy, const EvaluatedPolicy& first, const EvaluatedText& text) {
  const TextScore& score = policy.score;
  json object;
  object["tokens"] = score.predicted;
  object["tokens_left_out"] = text.tokens_left_out;
  if (text.prompt_tokens > 0) object["read"] = text.prompt_tokens;
  object["nll"] = score.mean_nll();
  object["perplexity"] = score.perplexity();
  object["kv_fraction"] = score.kv_fraction();
  object["mean_kv_fraction"] = score.mean_kv_fraction();
  object["paper_kv_fraction"] = score.paper_kv_fraction();
  object["policy"] = to_string(policy.plan.policy);
  object["roles"] = nullptr;
  if (has_roles(policy.plan.policy)) {
    object["roles"] = {{"global", score.role_share(Role::global)},
                       {"local", score.role_share(Role::local)},
                       {"sliding", score.role_share(Role::sliding)}};
  }
  auto& layers = object["per_layer_kv_fraction"] = json::array();
  for (const double sum : score.layer_fraction) layers.push_back(sum / static_cast<double>(score.segments));
  object["segments"] = score.segments;
  object["trained_with"] = text.trained_with ? json(*text.trained_with) : json();
  const std::string by_hand = in_words(set_by_hand(policy.plan));
  object["set_by_hand"] = by_hand.empty() ? json() : json(by_hand);
  const auto known = [](std::optional<double> value) { return value ? json(*value) : json(); };
  object["nll_standard_error"] = known(score.nll_standard_error());
  object["nll_difference"] = nullptr;
  object["nll_difference_standard_error"] = nullptr;
  if (&policy != &first) {
    object["nll_difference"] = score.mean_nll() - first.score.mean_nll();
    object["nll_difference_standard_error"] = known(nll_difference_standard_error(score, first.score));
  }
  return object;
}

std::string eval_text(const json& result) {
  std::string out = "policy            " + name_of(result) + "\n" + text_line(result);
  out += formatted("perplexity        %.4f%s   (%.4f nats a token)\n", result.at("perplexity").get<double>(),
                   plus_minus(result.at("nll_standard_error"), result.at("perplexity"), 2).c_str(),
                   result.at("nll").get<double>());
  out += formatted("KV fraction       %.2f %%   after a segment's last token   (paper's: %.2f %%)\n",
                   percent(result.at("kv_fraction")), percent(result.at("paper_kv_fraction")));
  out += formatted("mean over steps   %.2f %%   entries held while reading, of those of full attention\n",
                   percent(result.at("mean_kv_fraction")));
  if (const auto& roles = result.at("roles"); !roles.is_null()) {
    out += formatted("roles             %.1f %% Global, %.1f %% Local, %.1f %% Sliding\n", percent(roles.at("global")),
                     percent(roles.at("local")), percent(roles.at("sliding")));
  }
  int layer = 0;
  for (const auto& fraction : result.at("per_layer_kv_fraction"))
    out += formatted("layer %3d         %.2f %%\n", layer++, percent(fraction));
  return out;
}

std::string eval_table(const std::vector<json>& results) {
  std::vector<std::string> names{"policy"};
  for (const json& result : results) names.push_back(name_of(result));
  const std::vector<std::string> padded = as_column(names);
  std::string out = text_line(results.front()) + "\n" + padded.front() +
                    "   perplexity             × first                    KV    mean KV   paper's KV\n";
  const double first = results.front().at("perplexity");
  bool has_errors = false;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const json& result = results[i];
    const double perplexity = result.at("perplexity");
    const double ratio = perplexity / first;
    const std::string own_error = plus_minus(result.at("nll_standard_error"), perplexity, 2);
    const std::string ratio_error = plus_minus(result.at("nll_difference_standard_error"), ratio, 4);
    out += padded[i + 1] + formatted("   %10.4f", perplexity) + widened(own_error, 9) + formatted("   %7.4f", ratio) +
           widened(ratio_error, 10) +
           formatted("   %6.2f %%   %6.2f %%     %6.2f %%\n", percent(result.at("kv_fraction")),
                     percent(result.at("mean_kv_fraction")), percent(result.at("paper_kv_fraction")));
    has_errors |= !own_error.empty();
  }
  out += "\nKV: after a segment's last token; mean KV: over all steps. Shares of what full attention holds.\n";
  if (has_errors)
    out += "±: standard error over segments; of × first, of both policies' difference segment by segment.\n";
  return out;
}

std::string eval_csv(const std::vector<json>& results) {
  std::string out =
      "policy,tokens,segments,tokens_left_out,nll,perplexity,perplexity_of_first,kv_fraction,mean_kv_fraction,"
      "paper_kv_fraction,global,local,sliding,nll_standard_error,nll_difference,nll_difference_standard_error";
  const bool has_prompts = results.front().contains("read");
  out += has_prompts ? ",read\n" : "\n";
  const double first = results.front().at("perplexity");
  for (const json& result : results) {
    out += quoted_field(name_of(result));
    for (const char* count : {"tokens", "segments", "tokens_left_out"})
      out += "," + std::to_string(result.at(count).get<std::int64_t>());
    out += "," + digits(result.at("nll")) + "," + digits(result.at("perplexity")) + "," +
           digits(result.at("perplexity").get<double>() / first);
    for (const char* share : {"kv_fraction", "mean_kv_fraction", "paper_kv_fraction"})
      out += "," + digits(result.at(share));
    const auto& roles = result.at("roles");
    for (const char* role : {"global", "local", "sliding"})
      out += "," + (roles.is_null() ? "" : digits(roles.at(role)));
    for (const char* error : {"nll_standard_error", "nll_difference", "nll_difference_standard_error"})
      out += "," + (result.at(error).is_null() ? "" : digits(result.at(error)));
    if (has_prompts) out += "," + std::to_string(result.at("read").get<std::int64_t>());
    out += "\n";
  }
  return out;
}

std::string training_note(const EvaluatedText& text, const std::vector<EvaluatedPolicy>& policies) {
  if (!text.trained_with || *text.trained_with == "full") return {};
  std::string others;
  std::size_t count = 0;
  for (const EvaluatedPolicy& policy : policies) {
    const std::string name = to_string(policy.plan.policy);
    if (name == *text.trained_with) continue;
    others += (others.empty() ? "" : ", ") + name;
    ++count;
  }
  if (others.empty()) return {};
  if (count > most_named) others = "the " + std::to_string(count) + " other policies";
  const std::string with = *text.trained_with == "model" ? "its learned roles" : *text.trained_with;
  return "the model was trained with " + with + ": under " + others +
         " it is no measurement of the same model trained with full attention";
}

Expected<void> write_per_token(const std::filesystem::path& path, const EvaluatedText& text,
                               const std::vector<EvaluatedPolicy>& policies, const Tokenizer& tokenizer) {
  return write_file_atomically(path, [&](AtomicFile& file) -> Expected<void> {
    std::string head = "segment,position,token,text";
    for (const EvaluatedPolicy& policy : policies)
      head += policies.size() == 1 ? ",nll" : "," + quoted_field("nll " + to_string(policy.plan.policy));
    NATSCOPE_CHECK(file.write(head + "\n"));
    std::size_t row = 0;
    for (std::size_t segment = 0; segment < text.segments.size(); ++segment) {
      const auto tokens = text.segments[segment];
      StreamingDecoder decoder(tokenizer, segment > 0);
      for (std::size_t position = 0; position < tokens.size(); ++position) {
        std::string shown = decoder.push(tokens[position]);
        // Nothing predicts the first one, and nobody asks what predicts a prompt.
        if (position < std::max<std::size_t>(1, static_cast<std::size_t>(text.prompt_tokens))) continue;
        if (shown.empty()) shown = tokenizer.display(tokens[position]);
        std::string line = std::to_string(segment) + "," + std::to_string(position) + "," +
                           std::to_string(tokens[position]) + "," + quoted_field(shown);
        for (const EvaluatedPolicy& policy : policies) line += "," + digits(policy.nll[row]);
        ++row;
        NATSCOPE_CHECK(file.write(line + "\n"));
      }
    }
    return {};
  });
}

Expected<void> write_vocabularies(const std::filesystem::path& path, const std::vector<EvaluatedPolicy>& policies,
                                  const Tokenizer& tokenizer) {
  std::vector<TableColumn> columns{{"policy", "Policy", "What decided how long tokens stay.", TableUnit::text}};
  FigureTable all;
  for (const EvaluatedPolicy& policy : policies) {
    const std::string name = to_string(policy.plan.policy);
    const FigureTable table = vocabulary_table(policy.vocabulary.ranked(), policy.vocabulary.held_steps(), name,
                                               [&](std::int32_t token) { return tokenizer.display(token); });
    if (columns.size() == 1) columns.insert(columns.end(), table.columns.begin(), table.columns.end());
    for (std::size_t row = 0; row < table.rows(); ++row) {
      all.add(name);
      for (std::size_t column = 0; column < table.columns.size(); ++column) all.cells.push_back(table.at(row, column));
    }
  }
  all.columns = columns;
  return write_file_atomically(path, table_text(all, ','));
}

}  // namespace natscope
