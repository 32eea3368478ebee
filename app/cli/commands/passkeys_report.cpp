// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/passkeys_report.h"

#include <nlohmann/json.hpp>

#include "app/cli/flags/ask_flag.h"
#include "app/cli/terminal/report_numbers.h"
#include "app/cli/terminal/screen_text.h"
#include "core/base/grouped_digits.h"
#include "core/export/figure_table.h"
#include "core/reproduce/passkey_chart.h"

namespace natscope {
namespace {

using nlohmann::json;
using reproduce::KeysFound;
using reproduce::PasskeyCell;

/// The cells of documents of one length.
std::vector<PasskeyCell> of_length(const AskedPolicy& asked, std::int64_t length) {
  std::vector<PasskeyCell> cells;
  for (const PasskeyCell& cell : asked.cells) {
    if (cell.length == length) cells.push_back(cell);
  }
  return cells;
}

json found_json(const std::vector<PasskeyCell>& cells) {
  const KeysFound found = reproduce::keys_found(cells).value_or(KeysFound());
  return {{"answers", found.answers},
          {"right", found.right},
          {"tokens", found.tokens},
          {"tokens_right", found.tokens_right}};
}

}  // namespace

std::string AskedPolicy::label() const { return place ? name + ", question " + natscope::name(*place) : name; }

json passkeys_json(const AskedPolicy& asked, const AskedDocuments& documents) {
  json object = found_json(asked.cells);
  object["policy"] = asked.name;
  object["ask"] = asked.place ? json(name(*asked.place)) : json();
  object["documents"] = documents.of_each_length;
  object["keys"] = documents.keys;
  json& lengths = object["lengths"] = json::array();
  for (const auto& [length, policy] : asked.policies) {
    const std::vector<PasskeyCell> cells = of_length(asked, length);
    json each = found_json(cells);
    each["length"] = length;
    each["policy"] = to_string(policy);
    each["kv_fraction"] = cells.front().kv_fraction.value_or(0);
    lengths.push_back(std::move(each));
  }
  json& cells = object["cells"] = json::array();
  for (const PasskeyCell& cell : asked.cells) cells.push_back(cell_json(cell));
  return object;
}

std::string passkeys_table(const std::vector<AskedPolicy>& asked, const AskedDocuments& documents) {
  std::vector<std::string> names{""};
  for (const AskedPolicy& each : asked) names.push_back(each.label());
  const std::vector<std::string> column = as_column(std::move(names));
  std::string out = grouped_digits(documents.of_each_length) +
                    (documents.of_each_length == 1 ? " document" : " documents") + " of each length, " +
                    (documents.keys == 1 ? "with one key" : "with up to " + std::to_string(documents.keys) + " keys") +
                    ". Keys found, and in brackets the KV fraction, in percent\n\n" + column.front();
  for (const auto& [length, policy] : asked.front().policies)
    out += formatted("%18s", (grouped_digits(length) + " tokens").c_str());
  out += "             all\n";
  for (std::size_t i = 0; i < asked.size(); ++i) {
    out += column[i + 1];
    for (const auto& [length, policy] : asked[i].policies) {
      const std::vector<PasskeyCell> cells = of_length(asked[i], length);
      const auto found = reproduce::keys_found(cells);
      out +=
          formatted("  %7.1f (%6.2f)", found ? 100 * found->share() : 0.0, 100 * cells.front().kv_fraction.value_or(0));
    }
    const KeysFound all = reproduce::keys_found(asked[i].cells).value_or(KeysFound());
    out += formatted("%16s\n", (grouped_digits(all.right) + " of " + grouped_digits(all.answers)).c_str());
  }
  return out;
}

std::string passkeys_csv(const std::vector<AskedPolicy>& asked) {
  std::string out = "policy,ask,policy_of_length,kv_fraction," + std::string(reproduce::cell_columns) + "\n";
  for (const AskedPolicy& each : asked) {
    for (const PasskeyCell& cell : each.cells) {
      out += quoted_field(each.name) + "," + (each.place ? name(*each.place) : "") + "," +
             quoted_field(to_string(each.policies.at(cell.length))) + "," + digits(cell.kv_fraction.value_or(0)) + "," +
             cell_csv(cell) + "\n";
    }
  }
  return out;
}

GridChart passkeys_chart(const std::vector<AskedPolicy>& asked) {
  std::vector<reproduce::AskedCells> cells;
  for (const AskedPolicy& each : asked) cells.push_back({each.label(), each.cells});
  return reproduce::passkey_chart(cells);
}

}  // namespace natscope
