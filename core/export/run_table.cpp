// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/run_table.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace natscope {
namespace {

constexpr std::array columns{
    TableColumn{"run", "Run", "What decided how long tokens stay, and what was set by hand.", TableUnit::name},
    TableColumn{"policy", "Policy", "The same as a command takes it.", TableUnit::name, false},
    TableColumn{"model", "Model", "The model, or the file of a recording.", TableUnit::name},
    TableColumn{"tokens", "Tokens", "Of the prompt, which the other numbers are of.", TableUnit::number},
    TableColumn{"kv_fraction", "KV fraction", "Held after the prompt, as a share of what full attention would hold.",
                TableUnit::share},
    TableColumn{"mean_kv_fraction", "Mean KV",
                "Entries held over all steps of the prompt, as a share of full attention's.", TableUnit::share},
    TableColumn{"paper_kv_fraction", "Paper's KV", "After the prompt, with a ring of W slots counted whole.",
                TableUnit::share, false},
    TableColumn{
        "perplexity", "Perplexity",
        "exp of the mean loss of the prompt's tokens but the first; none where all of it was read before anything "
        "was dropped.",
        TableUnit::perplexity},
    TableColumn{"perplexity_of_first", "× shown", "Perplexity over that of the run that is shown, of the same text.",
                TableUnit::ratio},
};

}  // namespace

std::optional<double> perplexity_of(const RunRow& run) {
  return run.outcome.drops_after_reading ? std::nullopt : run.outcome.perplexity;
}

FigureTable run_table(std::span<const RunRow> runs) {
  FigureTable table{columns, {}, 3};
  for (const RunRow& run : runs) {
    const std::optional<double> of_first = perplexity_of(runs.front());
    const std::optional<double> own = perplexity_of(run);
    table.add(run.name);
    table.add(run.policy);
    table.add(run.model);
    table.add(static_cast<double>(run.outcome.figures.tokens));
    table.add(run.outcome.figures.fraction);
    table.add(run.outcome.mean_fraction);
    table.add(run.outcome.figures.paper_fraction);
    table.add(own);
    table.add(run.is_same_text && own && of_first ? std::optional(*own / *of_first) : std::nullopt);
  }
  return table;
}

std::string run_provenance(std::span<const RunRow> runs) {
  const FigureTable table = run_table(runs);
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t row = 0; row < table.rows(); ++row) {
    nlohmann::json& object = list.emplace_back(nlohmann::json::object());
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const TableCell& cell = table.at(row, column);
      nlohmann::json& value = object[table.columns[column].key];
      if (const double* const number = cell.number()) value = *number;
      if (const std::string* const text = cell.text()) value = *text;
    }
  }
  return nlohmann::json{{"natscope_version", NATSCOPE_VERSION}, {"runs", std::move(list)}}.dump();
}

}  // namespace natscope
