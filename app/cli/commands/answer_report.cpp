// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/answer_report.h"

#include <nlohmann/json.hpp>

#include "app/cli/flags/ask_flag.h"
#include "app/cli/terminal/report_numbers.h"
#include "app/cli/terminal/screen_text.h"
#include "core/base/atomic_file.h"
#include "core/base/grouped_digits.h"
#include "core/export/figure_table.h"

namespace natscope {

using nlohmann::json;

json answer_json(const AnsweredPolicy& policy) {
  double right = 0;
  double kv_fraction = 0;
  double paper_kv_fraction = 0;
  double prefill_s = 0;
  double decode_s = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated = 0;
  for (std::size_t i = 0; i < policy.answers.size(); ++i) {
    const WrittenAnswer& answer = policy.answers[i];
    right += policy.right[i];
    kv_fraction += answer.kv_fraction;
    paper_kv_fraction += answer.paper_kv_fraction;
    prefill_s += answer.prefill_s;
    decode_s += answer.decode_s;
    prompt_tokens += answer.read;
    generated += answer.generated;
  }
  const auto questions = static_cast<double>(policy.answers.size());
  const auto rate = [](std::int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  };
  return {{"policy", to_string(policy.policy)},
          {"match", policy.match},
          {"ask", name(policy.ask)},
          {"questions", policy.answers.size()},
          {"right", right / questions},
          {"kv_fraction", kv_fraction / questions},
          {"paper_kv_fraction", paper_kv_fraction / questions},
          {"prompt_tokens", prompt_tokens},
          {"generated_tokens", generated},
          {"prefill_tokens_per_s", rate(prompt_tokens, prefill_s)},
          {"decode_tokens_per_s", rate(generated, decode_s)}};
}

std::string answer_table(const std::vector<json>& results) {
  std::vector<std::string> names{"policy"};
  for (const json& result : results) names.push_back(result.at("policy"));
  const std::vector<std::string> column = as_column(std::move(names));
  const std::int64_t questions = results.front().at("questions");
  std::string out = grouped_digits(questions) + (questions == 1 ? " question, " : " questions, ") +
                    grouped_digits(results.front().at("prompt_tokens")) + " tokens\n\n" + column.front() +
                    (results.front().at("match") == "f1" ? "         F1" : "      right") +
                    "         KV   paper's KV\n";
  const auto percent = [](const json& share) { return 100 * share.get<double>(); };
  for (std::size_t i = 0; i < results.size(); ++i) {
    const json& result = results[i];
    out += column[i + 1] + formatted("   %6.1f %%   %6.2f %%     %6.2f %%\n", percent(result.at("right")),
                                     percent(result.at("kv_fraction")), percent(result.at("paper_kv_fraction")));
  }
  return out + "\nKV: after the last token that is read, of what full attention holds; means over questions.\n";
}

std::string answer_csv(const std::vector<json>& results) {
  std::string out = "policy,questions,right,kv_fraction,paper_kv_fraction,prompt_tokens,generated_tokens,ask\n";
  for (const json& result : results) {
    out += quoted_field(result.at("policy")) + "," + std::to_string(result.at("questions").get<std::int64_t>());
    for (const char* const share : {"right", "kv_fraction", "paper_kv_fraction"}) out += "," + digits(result.at(share));
    for (const char* const count : {"prompt_tokens", "generated_tokens"})
      out += "," + std::to_string(result.at(count).get<std::int64_t>());
    out += "," + result.at("ask").get<std::string>() + "\n";
  }
  return out;
}

Expected<void> write_answers(const std::filesystem::path& path, const std::vector<Question>& questions,
                             const std::vector<AnsweredPolicy>& policies) {
  return write_file_atomically(path, [&](AtomicFile& file) -> Expected<void> {
    NATSCOPE_CHECK(
        file.write("policy,question,right,kv_fraction,paper_kv_fraction,prompt_tokens,generated_tokens,"
                   "stop_reason,answers,written\n"));
    for (const AnsweredPolicy& policy : policies) {
      for (std::size_t i = 0; i < questions.size(); ++i) {
        const WrittenAnswer& answer = policy.answers[i];
        NATSCOPE_CHECK(file.write(
            quoted_field(to_string(policy.policy)) + "," + std::to_string(i) + "," + digits(policy.right[i]) + "," +
            digits(answer.kv_fraction) + "," + digits(answer.paper_kv_fraction) + "," + std::to_string(answer.read) +
            "," + std::to_string(answer.generated) + "," + name(answer.reason) + "," +
            quoted_field(json(questions[i].answers).dump()) + "," + quoted_field(answer.text) + "\n"));
      }
    }
    return {};
  });
}

}  // namespace natscope
