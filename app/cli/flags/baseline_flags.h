// SPDX-License-Identifier: GPL-3.0-or-later
/// --budgets and --baselines: policies that hold as much as one asks for, or as another policy did.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "app/cli/invocation.h"
#include "core/cache/policy.h"

namespace natscope {

class BaselineFlags {
 public:
  void add_to(CLI::App& command);
  /// Errors: usage (a budget that is none, --baselines without --budgets).
  [[nodiscard]] Expected<void> check() const;

  /// Every baseline at every budget, budget by budget, each policy once.
  ///   same    what `same` stands for: the KV fraction that a policy was measured to hold after a segment
  ///   mean    what `mean` stands for: the same policy's over all steps
  ///   tokens  of a segment
  ///   prompt_tokens  of them, read before any is predicted: the budget of policies that drop behind a prompt is of
  ///   these, and without any they are left out
  /// check() must have passed.
  [[nodiscard]] std::vector<Policy> policies(double same, double mean, std::int64_t tokens,
                                             std::int64_t prompt_tokens) const;
  /// Whether --baselines names one that drops behind a prompt: its name, else empty.
  [[nodiscard]] std::string named_behind_prompt() const;

 private:
  [[nodiscard]] bool names(Policy::Kind kind) const;

  std::vector<std::string> budgets_;
  std::vector<std::string> kinds_;
};

}  // namespace natscope
