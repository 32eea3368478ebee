// SPDX-License-Identifier: GPL-3.0-or-later
/// --policy: the cache's rule, for every command that runs a model.
#pragma once

#include <CLI/App.hpp>
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/invocation.h"
#include "app/cli/terminal/note.h"
#include "app/cli/words/nearest_word.h"
#include "core/cache/plan_check.h"
#include "core/cache/policy.h"
#include "core/cache/policy_names.h"

namespace natscope {

struct PolicyFlag {
  static std::string words() {
    return "What the cache keeps: " + policy_forms_in_words() + "; model: the learned roles";
  }

  std::string text = "model";

  void add_to(CLI::App& command) {
    command.add_option("--policy", text, words())->type_name("POLICY")->capture_default_str();
  }

  /// Errors: usage (syntax).
  [[nodiscard]] Expected<Policy> parsed() const {
    auto policy = parse_policy(text);
    if (policy) return policy;
    Error error = as_usage(std::move(policy).error());
    const std::vector<std::string> names = policy_names();
    const std::string name = text.substr(0, text.find(':'));
    const auto meant = std::ranges::find(names, name) == names.end() ? nearest_word(name, names) : std::nullopt;
    if (meant) error.hint = "did you mean " + *meant + "? " + error.hint;
    return Unexpected(std::move(error));
  }

  /// `tokens`: how long the text can get; a listed position it does not reach is bad input.
  /// Errors: usage (syntax), bad_position.
  [[nodiscard]] Expected<Policy> policy(std::int64_t tokens) const {
    NATSCOPE_TRY(Policy named, parsed());
    for (const TokenPos position : named.global_positions) {
      if (position.value >= tokens) {
        return fail(ErrorCode::bad_position, "--policy lists position " + std::to_string(position.value) +
                                                 ", the text has at most " + std::to_string(tokens) + " tokens");
      }
    }
    const bool keeps_none =
        (!has_roles(named) && named.heavy + named.recent == 0) ||
        (has_own_window(named) && named.window + named.sinks == 0 && named.global_positions.empty());
    if (keeps_none) print_note(to_string(named) + " keeps no entry: every token sees itself alone");
    if (named.kind == Policy::Kind::longformer && named.global_positions.empty()) {
      const std::string window = std::to_string(named.window);
      print_note(to_string(named) + " lists no position and is window:" + window + "; longformer:" + window +
                 ",0 keeps the first token, too");
    }
    return named;
  }
};

/// --policy, several of which are tried on the same text.
struct PolicyListFlag {
  std::vector<std::string> texts;

  /// `what` becomes of several, in the help: "are measured one after another".
  void add_to(CLI::App& command, const std::string& what) {
    command.add_option("--policy", texts, PolicyFlag::words() + ". Several " + what)
        ->type_name("POLICY")
        ->allow_extra_args(false)
        ->default_str("model");
  }

  [[nodiscard]] std::vector<PolicyFlag> each() const {
    std::vector<PolicyFlag> named(std::max<std::size_t>(texts.size(), 1));
    for (std::size_t i = 0; i < texts.size(); ++i) named[i].text = texts[i];
    return named;
  }

  /// Errors: usage (syntax, one of them twice).
  [[nodiscard]] Expected<std::vector<Policy>> parsed() const {
    std::vector<Policy> policies;
    for (const PolicyFlag& option : each()) {
      NATSCOPE_TRY(Policy policy, option.parsed());
      if (std::find(policies.begin(), policies.end(), policy) != policies.end())
        return fail(ErrorCode::usage, "--policy " + to_string(policy) + " is given twice", "leave one of them out");
      policies.push_back(std::move(policy));
    }
    return policies;
  }
};

}  // namespace natscope
