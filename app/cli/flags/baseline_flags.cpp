// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/baseline_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "core/cache/policy_budget.h"
#include "core/cache/policy_names.h"

namespace natscope {
namespace {

constexpr std::string_view same_budget = "same";
constexpr std::string_view mean_budget = "mean";

/// What a cache that grows to a share of a text and stays so holds after it, if it held `mean` over all steps: of
/// min(n, s·T) for n up to T the sum is s·(2 − s)·T²/2, to one step.
double share_with_mean(double mean) { return 1 - std::sqrt(1 - std::min(mean, 1.0)); }

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const Policy::Kind kind : budget_kinds) names.push_back(policy_name(kind));
  return names;
}

/// A share of the cache, over 0 and up to 1; nothing for anything else.
std::optional<double> parse_share(std::string_view text) {
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || !(share > 0 && share <= 1)) return std::nullopt;
  return share;
}

}  // namespace

void BaselineFlags::add_to(CLI::App& command, BaselineWords words) {
  words_ = std::move(words);
  command.add_option("--budgets", budgets_, words_.budgets)->delimiter(',')->allow_extra_args(false)->type_name("LIST");
  command
      .add_option("--baselines", kinds_,
                  "Which ones, between commas: window, streaming (4 sinks), h2o (half heavy, half recent), tova; " +
                      words_.behind_prompt + "snapkv, pyramidkv and adakv")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(kind_names()))
      ->type_name("LIST")
      ->default_str("all of them");
}

Expected<void> BaselineFlags::check() const {
  for (const std::string& budget : budgets_) {
    if (budget == same_budget || (words_.takes_mean && budget == mean_budget) || parse_share(budget)) continue;
    const std::string names = words_.takes_mean ? "same, mean, or" : "same, or";
    return fail(
        ErrorCode::usage,
        "--budgets takes " + names + " shares of the cache over 0 and up to 1, not \"" + printable(budget) + "\"",
        "write --budgets 0.125,0.25 for an eighth and a quarter");
  }
  if (!kinds_.empty() && budgets_.empty())
    return fail(ErrorCode::usage, "--baselines chooses among those of --budgets, which is not given",
                "add --budgets same");
  return {};
}

bool BaselineFlags::names(Policy::Kind kind) const {
  return std::ranges::find(kinds_, policy_name(kind)) != kinds_.end();
}

std::string BaselineFlags::named_behind_prompt() const {
  const auto* const kind =
      std::ranges::find_if(budget_kinds, [&](Policy::Kind each) { return drops_behind_prompt(each) && names(each); });
  return kind == budget_kinds.end() ? std::string() : policy_name(*kind);
}

std::vector<Baseline> BaselineFlags::each() const {
  std::vector<Baseline> all;
  for (const std::string& budget : budgets_) {
    for (const Policy::Kind kind : budget_kinds) {
      if (kinds_.empty() || names(kind)) all.push_back({kind, budget});
    }
  }
  return all;
}

double BaselineFlags::share(const std::string& budget, double same, double mean) {
  if (budget == mean_budget) return share_with_mean(mean);
  return parse_share(budget).value_or(same);
}

std::vector<Policy> BaselineFlags::policies(double same, double mean, std::int64_t tokens,
                                            std::int64_t prompt_tokens) const {
  std::vector<Policy> all;
  for (const Baseline& baseline : each()) {
    const bool is_behind_prompt = drops_behind_prompt(baseline.kind);
    if (is_behind_prompt && prompt_tokens == 0) continue;
    Policy policy =
        policy_at_budget(baseline.kind, share(baseline.budget, same, mean), is_behind_prompt ? prompt_tokens : tokens);
    if (std::ranges::find(all, policy) == all.end()) all.push_back(std::move(policy));
  }
  return all;
}

}  // namespace natscope
