// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/options/finetune_options.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/train/options/option_fields.h"

namespace natscope::train {

namespace {

constexpr const char* trained_names[] = {"scores", "lora", "all"};
constexpr const char* targets[] = {"q_proj", "k_proj", "v_proj", "o_proj"};

template <class Options, class Visit>
void for_each_option(Options& o, Visit visit) {
  for_each_shared_option(o, visit);
  visit("model", o.model);
  visit("lora_rank", o.lora_rank);
  visit("lora_alpha", o.lora_alpha);
  visit("passkey", o.passkey);
  visit("passkey_keys", o.passkey_keys);
  visit("rows", o.rows);
  visit("evaluate_documents", o.evaluate_documents);
}

}  // namespace

double finetune_learning_rate(double peak, std::int64_t steps, std::int64_t step) {
  const double fifth = std::max(1.0, static_cast<double>(steps) / 5);
  const double up = static_cast<double>(step - 1) / fifth;
  const double down = static_cast<double>(steps - step) / fifth;
  return peak * std::lerp(0.1, 1.0, std::min({up, down, 1.0}));
}

std::int64_t longest_document(const FinetuneOptions& options, std::int64_t context) {
  constexpr std::int64_t papers = 16'000;
  return std::min<std::int64_t>(options.context > 0 ? options.context : papers, context);
}

Expected<FinetuneOptions> resolve(FinetuneOptions o) {
  if (o.model.empty()) return fail(ErrorCode::usage, "no base model", "name its folder with --model");
  if (o.data.empty()) return fail(ErrorCode::usage, "no training data", "name text with --data");
  NATSCOPE_CHECK(settle_shared_options(o));
  NATSCOPE_CHECK(in_range("--window", o.window, 0, 1 << 20));
  NATSCOPE_CHECK(in_range("--lora-rank", o.lora_rank, 1, 4096));
  NATSCOPE_CHECK(in_range("--lora-alpha", o.lora_alpha, 1e-6, 1e6));
  std::set<std::string> seen;
  for (std::string& target : o.lora_targets) {
    if (target.size() == 1) target += "_proj";
    const bool known = std::find(std::begin(targets), std::end(targets), target) != std::end(targets);
    if (!known || !seen.insert(target).second) {
      return fail(ErrorCode::usage, "--lora names " + printable(target, 40) + (known ? " twice" : ""),
                  "give some of q, k, v, o, each once");
    }
  }
  if (o.trained == Trained::lora && o.lora_targets.empty()) {
    return fail(ErrorCode::usage, "--train lora without --lora", "name some of q, k, v, o");
  }
  NATSCOPE_CHECK(in_range("--steps", static_cast<double>(o.steps), 1, 1e9));
  NATSCOPE_CHECK(in_range("--length", o.context, 0, 1 << 20));
  if (o.context == 1) return fail(ErrorCode::usage, "documents of one token", "give --length 2 or more");
  NATSCOPE_CHECK(in_range("--passkey", o.passkey, 0, 1));
  NATSCOPE_CHECK(in_range("--passkey-keys", o.passkey_keys, 1, most_passkeys));
  NATSCOPE_CHECK(in_range("--rows", o.rows, 1, 1 << 20));
  NATSCOPE_CHECK(in_range("--keep", o.checkpoints_kept, 2, 1000));
  NATSCOPE_CHECK(in_range("--eval-documents", o.evaluate_documents, 1, 1e6));
  return o;
}

nlohmann::json options_json(const FinetuneOptions& options) {
  nlohmann::json spec{{"kind", "finetune"}, {"version", 1}};
  for_each_option(options, OptionWriter{spec});
  spec["trained"] = trained_names[static_cast<int>(options.trained)];
  spec["lora_targets"] = options.lora_targets;
  return spec;
}

Expected<FinetuneOptions> finetune_options_from_json(const nlohmann::json& spec) {
  return read_options<FinetuneOptions>(
      spec, "finetune",
      [](FinetuneOptions& options, const OptionReader& reader) {
        for_each_option(options, reader);
        if (const auto* stored = reader.value_of("trained")) {
          const auto found = std::find(std::begin(trained_names), std::end(trained_names), *stored);
          if (found == std::end(trained_names)) {
            reader.wrong = "trained";
          } else {
            options.trained = static_cast<Trained>(found - std::begin(trained_names));
          }
        }
        if (const auto* stored = reader.value_of("lora_targets")) {
          const bool is_texts =
              stored->is_array() &&
              std::all_of(stored->begin(), stored->end(), [](const auto& target) { return target.is_string(); });
          if (is_texts) {
            options.lora_targets = stored->template get<std::vector<std::string>>();
          } else {
            reader.wrong = "lora_targets";
          }
        }
      },
      [](const FinetuneOptions& options) { return options_json(options); });
}

}  // namespace natscope::train
