// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "kernels/ids.h"
#include "kernels/score_rule.h"

/// When entries go by their scores while tokens pass: H2O and TOVA drop after every token, SnapKV and its like once,
/// behind a prompt.
namespace natscope {

enum class PassDrops : std::uint8_t {
  none,        ///< no scores are kept: all tokens may attend at once
  after_each,  ///< one by one; entries go after every token
  later,       ///< one by one, and their weights add up; entries go in a pass that follows
  after_last,  ///< likewise; entries go after the last token of the pass, the last one of a prompt
};

/// The last tokens of a prompt behind which entries go once: first … end − 1. Their queries' weights are the scores.
struct WeighedTokens {
  std::int64_t first = 0;
  std::int64_t end = 0;  ///< of the prompt; as `first` where nothing goes

  [[nodiscard]] bool are_none() const { return first == end; }
  friend bool operator==(const WeighedTokens&, const WeighedTokens&) = default;
};

/// The weighed tokens of a prompt of `prompt_tokens`. None where the rule keeps all of it, or drops after every token.
[[nodiscard]] inline WeighedTokens weighed_tokens(const std::optional<kernels::ScoreRule>& rule,
                                                  std::int64_t prompt_tokens) {
  if (!rule || rule->scores != kernels::EntryScores::of_prompt_end || prompt_tokens - rule->recent <= rule->heavy)
    return {};
  return {prompt_tokens - rule->recent, prompt_tokens};
}

/// How many tokens, of at most `most`, a pass from `first` on takes: those that are weighed have passes of their own.
[[nodiscard]] inline std::int64_t pass_tokens(const WeighedTokens& weighed, std::int64_t first, std::int64_t most) {
  for (const std::int64_t end : {weighed.first, weighed.end}) {
    if (first < end) return std::min(most, end - first);
  }
  return most;
}

/// Of a pass over n tokens that pass_tokens allows.
[[nodiscard]] inline PassDrops pass_drops(const std::optional<kernels::ScoreRule>& rule, const WeighedTokens& weighed,
                                          TokenPos first, std::int64_t n) {
  if (!rule) return PassDrops::none;
  if (rule->scores != kernels::EntryScores::of_prompt_end) return PassDrops::after_each;
  if (first.value < weighed.first || first.value >= weighed.end) return PassDrops::none;
  return first.value + n == weighed.end ? PassDrops::after_last : PassDrops::later;
}

}  // namespace natscope
