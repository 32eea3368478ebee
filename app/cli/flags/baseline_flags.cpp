// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/flags/baseline_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "core/cache/policy_budget.h"

namespace natscope {
namespace {

constexpr std::string_view same_budget = "same";
constexpr std::string_view mean_budget = "mean";

/// What a cache that grows to a share of a text and stays so holds after it, if it held `mean` over all steps: of
/// min(n, s·T) for n up to T the sum is s·(2 − s)·T²/2, to one step.
double share_with_mean(double mean) { return 1 - std::sqrt(1 - std::min(mean, 1.0)); }

/// In the order of budget_kinds.
constexpr std::array<std::string_view, budget_kinds.size()> kind_names{"window", "streaming", "h2o", "tova", "snapkv"};

/// A share of the cache, over 0 and up to 1; nothing for anything else.
std::optional<double> parse_share(std::string_view text) {
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || !(share > 0 && share <= 1)) return std::nullopt;
  return share;
}

}  // namespace

void BaselineFlags::add_to(CLI::App& command) {
  command
      .add_option("--budgets", budgets_,
                  "Also measure baselines that hold these shares of a segment, behind the other policies: 0.125, or "
                  "as much as the first policy that drops something: same, after a segment's last token; mean, over "
                  "all steps; between commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  command
      .add_option("--baselines", kinds_,
                  "Which ones, between commas: window, streaming (4 sinks), h2o (half heavy, half recent), tova, "
                  "snapkv (that share of what --read reads; needs it)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(std::vector<std::string>(kind_names.begin(), kind_names.end())))
      ->type_name("LIST")
      ->default_str("window,streaming,h2o,tova, with --read snapkv");
}

Expected<void> BaselineFlags::check() const {
  for (const std::string& budget : budgets_) {
    if (budget == same_budget || budget == mean_budget || parse_share(budget)) continue;
    return fail(
        ErrorCode::usage,
        "--budgets takes same, mean, or shares of the cache over 0 and up to 1, not \"" + printable(budget) + "\"",
        "write --budgets 0.125,0.25 for an eighth and a quarter");
  }
  if (!kinds_.empty() && budgets_.empty())
    return fail(ErrorCode::usage, "--baselines chooses among those of --budgets, which is not given",
                "add --budgets same");
  return {};
}

bool BaselineFlags::names(Policy::Kind kind) const {
  const auto place = static_cast<std::size_t>(std::ranges::find(budget_kinds, kind) - budget_kinds.begin());
  return place < kind_names.size() && std::ranges::find(kinds_, kind_names[place]) != kinds_.end();
}

std::vector<Policy> BaselineFlags::policies(double same, double mean, std::int64_t tokens,
                                            std::int64_t prompt_tokens) const {
  std::vector<Policy> all;
  for (const std::string& budget : budgets_) {
    const double share = budget == same_budget   ? same
                         : budget == mean_budget ? share_with_mean(mean)
                                                 : parse_share(budget).value_or(same);
    for (std::size_t i = 0; i < budget_kinds.size(); ++i) {
      if (!kinds_.empty() && std::ranges::find(kinds_, kind_names[i]) == kinds_.end()) continue;
      const bool is_behind_prompt = budget_kinds[i] == Policy::Kind::snapkv;
      if (is_behind_prompt && prompt_tokens == 0) continue;
      Policy policy = policy_at_budget(budget_kinds[i], share, is_behind_prompt ? prompt_tokens : tokens);
      if (std::ranges::find(all, policy) == all.end()) all.push_back(std::move(policy));
    }
  }
  return all;
}

}  // namespace natscope
