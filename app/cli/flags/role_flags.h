// SPDX-License-Identifier: GPL-3.0-or-later
/// --window, --roles and --force: what a person sets in place of what model and policy decide.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"

namespace natscope {

class RoleFlags {
 public:
  void add_to(CLI::App& command);

  /// What can be said before there is a model: the flags' syntax, and whether the policy leaves anything to set.
  /// Errors: usage.
  [[nodiscard]] Expected<void> check(const Policy& policy) const;

  /// Whether single tokens' roles are set, which belong to one text.
  [[nodiscard]] bool has_roles() const { return !roles_file_.empty() || !forced_.empty(); }
  /// --roles; empty without.
  [[nodiscard]] const std::string& file() const { return roles_file_; }

  /// The policy with what was set, for a text of `tokens` tokens (prompt and generation) in a model of so many layers
  /// and KV heads. Errors: those of check(); bad_position; bad_roles (a file that is shorter than the text), and those
  /// of read_roles_file().
  [[nodiscard]] Expected<RolePlan> plan(const Policy& policy, std::int64_t tokens, std::int32_t layers,
                                        std::int32_t kv_heads) const;

 private:
  std::optional<std::int64_t> window_;
  std::string roles_file_;
  std::vector<std::string> forced_;
};

}  // namespace natscope
