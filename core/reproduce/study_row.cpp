// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_row.h"

#include <nlohmann/json.hpp>

namespace natscope::reproduce {

using nlohmann::json;

std::optional<double> StudyRow::accuracy() const {
  std::int64_t all = 0;
  std::int64_t right = 0;
  for (const AnswersAtDistance& bin : answers) {
    all += bin.answers;
    right += bin.right;
  }
  if (all == 0) return {};
  return static_cast<double>(right) / static_cast<double>(all);
}

std::optional<KeysFound> keys_found(const std::vector<PasskeyCell>& cells) {
  KeysFound found;
  for (const PasskeyCell& cell : cells) {
    found.answers += cell.answers;
    found.right += cell.right;
    found.tokens += cell.tokens;
    found.tokens_right += cell.tokens_right;
  }
  if (found.answers == 0) return {};
  return found;
}

json cell_json(const PasskeyCell& cell) {
  json object{{"length", cell.length},
              {"depth_from", cell.from},
              {"depth_until", cell.until},
              {"answers", cell.answers},
              {"right", cell.right},
              {"tokens", cell.tokens},
              {"tokens_right", cell.tokens_right},
              {"nll_sum", cell.nll}};
  if (cell.kv_fraction) object["kv_fraction"] = *cell.kv_fraction;
  return object;
}

std::string cell_csv(const PasskeyCell& cell) {
  std::string line = std::to_string(cell.length) + "," + json(cell.from).dump() + "," + json(cell.until).dump();
  for (const std::int64_t count : {cell.answers, cell.right, cell.tokens, cell.tokens_right})
    line += "," + std::to_string(count);
  return line + "," + json(cell.nll).dump();
}

json row_json(const StudyRow& row) {
  const auto number = [](const std::optional<double>& value) { return value ? json(*value) : json(nullptr); };
  json object{{"run", row.run},
              {"model", row.model},
              {"policy", row.policy},
              {"lambda", number(row.lambda)},
              {"seed", row.seed},
              {"perplexity", row.perplexity},
              {"kv_fraction", row.kv_fraction},
              {"paper_kv_fraction", row.paper_kv_fraction},
              {"tokens", row.tokens},
              {"global_share", number(row.global_share)},
              {"local_share", number(row.local_share)}};
  if (row.window) object["window"] = *row.window;
  if (!row.passkeys.empty()) {
    json& cells = object["passkeys"] = json::array();
    for (const PasskeyCell& cell : row.passkeys) cells.push_back(cell_json(cell));
  }
  if (!row.answers.empty()) {
    object["answer_accuracy"] = number(row.accuracy());
    json& bins = object["answers_by_distance"] = json::array();
    for (const AnswersAtDistance& bin : row.answers) {
      bins.push_back({{"from", bin.from},
                      {"until", bin.until},
                      {"answers", bin.answers},
                      {"right", bin.right},
                      {"nll_sum", bin.nll}});
    }
  }
  return object;
}

Expected<StudyRow> row_from_json(const json& object) {
  // A study's own file: whatever does not read back is one kind of damage.
  try {
    const auto number = [&object](const char* key) {
      return object.at(key).is_null() ? std::optional<double>() : std::optional(object.at(key).get<double>());
    };
    StudyRow row;
    row.run = object.at("run").get<std::string>();
    row.model = object.at("model").get<std::string>();
    row.policy = object.at("policy").get<std::string>();
    row.lambda = number("lambda");
    row.seed = object.at("seed").get<int>();
    row.perplexity = object.at("perplexity").get<double>();
    row.kv_fraction = object.at("kv_fraction").get<double>();
    row.paper_kv_fraction = object.at("paper_kv_fraction").get<double>();
    row.tokens = object.at("tokens").get<std::int64_t>();
    row.global_share = number("global_share");
    row.local_share = number("local_share");
    if (object.contains("window")) row.window = object.at("window").get<std::int64_t>();
    if (object.contains("passkeys")) {
      for (const json& cell : object.at("passkeys")) {
        row.passkeys.push_back({cell.at("length").get<std::int64_t>(),
                                cell.at("depth_from").get<double>(),
                                cell.at("depth_until").get<double>(),
                                cell.at("answers").get<std::int64_t>(),
                                cell.at("right").get<std::int64_t>(),
                                cell.at("tokens").get<std::int64_t>(),
                                cell.at("tokens_right").get<std::int64_t>(),
                                cell.at("nll_sum").get<double>(),
                                {}});
        if (cell.contains("kv_fraction")) row.passkeys.back().kv_fraction = cell.at("kv_fraction").get<double>();
      }
    }
    if (object.contains("answers_by_distance")) {
      for (const json& bin : object.at("answers_by_distance")) {
        row.answers.push_back({bin.at("from").get<std::int64_t>(), bin.at("until").get<std::int64_t>(),
                               bin.at("answers").get<std::int64_t>(), bin.at("right").get<std::int64_t>(),
                               bin.at("nll_sum").get<double>()});
      }
    }
    return row;
  } catch (const json::exception& problem) {
    return fail(ErrorCode::bad_job, std::string("a row of the study: ") + problem.what());
  }
}

}  // namespace natscope::reproduce
