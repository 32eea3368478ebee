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

/// What is measured, for the help: what budgets are shares of, which of them follow another policy, and when SnapKV and
/// its like are there.
struct BaselineWords {
  std::string budgets;
  std::string behind_prompt;
  bool takes_mean = false;  ///< whether `mean` is a budget
};

/// A policy that is to hold a share of the cache.
struct Baseline {
  Policy::Kind kind = Policy::Kind::window;
  std::string budget;  ///< as it was written: "same", "0.125"
};

class BaselineFlags {
 public:
  void add_to(CLI::App& command, BaselineWords words);
  /// Errors: usage (a budget that is none, --baselines without --budgets).
  [[nodiscard]] Expected<void> check() const;

  /// Every kind at every budget, budget by budget. check() must have passed.
  [[nodiscard]] std::vector<Baseline> each() const;
  /// What a budget is, where `same` and `mean` stand for these.
  [[nodiscard]] static double share(const std::string& budget, double same, double mean);

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

  BaselineWords words_;
  std::vector<std::string> budgets_;
  std::vector<std::string> kinds_;
};

}  // namespace natscope
