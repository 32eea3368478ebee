// SPDX-License-Identifier: GPL-3.0-or-later
/// What passkeys says: every policy as a line of a table, as JSON, as csv and as a grid.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/cache/policy.h"
#include "core/engine/question_place.h"
#include "core/export/grid_chart.h"
#include "core/reproduce/study_row.h"

namespace natscope {

/// One policy, and where its documents' questions stood.
struct AskedPolicy {
  std::string name;                         ///< the policy, or of a budget "h2o at same"
  std::map<std::int64_t, Policy> policies;  ///< for each length of documents: all the same, or of one budget
  std::optional<QuestionPlace> place;       ///< of policies that drop behind a prompt; to others it is all the same
  std::vector<reproduce::PasskeyCell> cells;

  /// "snapkv:64,32, question behind".
  [[nodiscard]] std::string label() const;
};

/// What all of them were asked.
struct AskedDocuments {
  std::int64_t of_each_length = 0;
  int keys = 1;
};

/// The object of `passkeys --json` for one policy.
[[nodiscard]] nlohmann::json passkeys_json(const AskedPolicy& asked, const AskedDocuments& documents);

/// For people: all policies beside each other (at least one).
[[nodiscard]] std::string passkeys_table(const std::vector<AskedPolicy>& asked, const AskedDocuments& documents);

/// A line for every policy, length and depth.
[[nodiscard]] std::string passkeys_csv(const std::vector<AskedPolicy>& asked);

/// A grid for every policy.
[[nodiscard]] GridChart passkeys_chart(const std::vector<AskedPolicy>& asked);

}  // namespace natscope
