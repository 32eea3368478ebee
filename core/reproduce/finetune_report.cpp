// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/finetune_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/reproduce/answer_columns.h"
#include "core/reproduce/passkey_chart.h"

namespace natscope::reproduce {
namespace {

using nlohmann::json;

const StudyRow* full_row(const std::vector<StudyRow>& rows) {
  const auto found = std::find_if(rows.begin(), rows.end(), [](const StudyRow& r) { return r.policy == "full"; });
  return found == rows.end() ? nullptr : &*found;
}

std::string series_of(const StudyRow& row) {
  if (row.window) return "score layers, W = " + std::to_string(*row.window);
  if (row.policy.starts_with("streaming")) return "StreamingLLM";
  if (row.policy.starts_with("h2o")) return "H2O";
  return "full attention";
}

std::string text_of(const char* format, double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// Right answers, and right tokens of them, over all cells.
std::string keys_text(const StudyRow& row) {
  const auto found = row.keys_found();
  if (!found) return "–";
  return text_of("%.1f", 100.0 * found->share()) +
         text_of(" (%.1f)", 100.0 * static_cast<double>(found->tokens_right) / static_cast<double>(found->tokens));
}

}  // namespace

json finetune_results_json(const FinetuneStudyOptions& options, const std::vector<StudyRow>& rows) {
  const StudyRow* full = full_row(rows);
  json list = json::array();
  for (const StudyRow& row : rows) {
    json object = row_json(row);
    object["full_perplexity"] = full == nullptr ? json(nullptr) : json(full->perplexity);
    list.push_back(std::move(object));
  }
  json kept = nullptr;
  const StudyRow* best = cheapest_adapter(rows);
  if (best != nullptr && is_kept(*best, *full)) kept = {{"run", best->run}, {"kv_fraction", best->kv_fraction}};
  return {{"study", published_study(study_json(options))}, {"kept", std::move(kept)}, {"rows", std::move(list)}};
}

std::string finetune_table(const std::vector<StudyRow>& rows) {
  const StudyRow* full = full_row(rows);
  const AnswerColumns answers(full == nullptr ? std::vector<AnswersAtDistance>() : full->answers);
  const bool asked = !answers.empty();
  std::string table = "| model | λ | policy | KV % | paper's KV % | perplexity | × full | ";
  table += (asked ? "right answers % |" : "pass keys % (their tokens %) |") + answers.head() + "\n";
  table += "| --- | --- | --- | --- | --- | --- | --- | --- |" + answers.rule() + "\n";
  for (const StudyRow& row : rows) {
    table += "| " + series_of(row) + " | " + (row.lambda ? json(*row.lambda).dump() : "–") + " | " + row.policy +
             " | " + text_of("%.2f", 100 * row.kv_fraction) + " | " + text_of("%.2f", 100 * row.paper_kv_fraction) +
             " | " + text_of("%.3f", row.perplexity) + " | " +
             (full == nullptr ? std::string("–") : text_of("%.4f", row.perplexity / full->perplexity)) + " | " +
             (asked ? text_of("%.1f", 100 * row.accuracy().value_or(0)) : keys_text(row)) + " |" +
             answers.cells(row.answers) + "\n";
  }
  return table;
}

std::string passkey_csv(const std::vector<StudyRow>& rows) {
  std::string csv = "run,policy,kv_fraction," + std::string(cell_columns) + ",documents_kv_fraction\n";
  for (const StudyRow& row : rows) {
    for (const PasskeyCell& cell : row.passkeys) {
      // The policy holds commas.
      csv += row.run + ",\"" + row.policy + "\"," + json(row.kv_fraction).dump() + "," + cell_csv(cell) + "," +
             (cell.kv_fraction ? json(*cell.kv_fraction).dump() : "") + "\n";
    }
  }
  return csv;
}

SeriesChart finetune_chart(const std::vector<StudyRow>& rows) {
  SeriesChart chart;
  chart.title = "Score layers taught to a full-attention model";
  chart.x_label = "KV fraction at a segment's last token";
  chart.log_x = true;
  const StudyRow* full = full_row(rows);
  if (full == nullptr) return chart;
  const bool asked = full->accuracy().has_value();
  chart.y_label = asked ? "share of right answers" : "perplexity / that of full attention";
  for (const StudyRow& row : rows) {
    const double shown = asked ? row.accuracy().value_or(0) : row.perplexity / full->perplexity;
    add_point(chart, series_of(row), !row.window, {spread_of({row.kv_fraction}), spread_of({shown})});
  }
  sort_points(chart);
  return chart;
}

GridChart passkey_chart(const std::vector<StudyRow>& rows) {
  const StudyRow* best = cheapest_adapter(rows);
  std::vector<AskedCells> asked;
  for (const StudyRow& row : rows) {
    if (row.passkeys.empty() || (row.window && &row != best)) continue;
    AskedCells& cells = asked.emplace_back(AskedCells{series_of(row), row.passkeys});
    // Where an earlier program did not measure it on the documents.
    for (PasskeyCell& cell : cells.cells) cell.kv_fraction = cell.kv_fraction.value_or(row.kv_fraction);
  }
  return passkey_chart(asked);
}

}  // namespace natscope::reproduce
