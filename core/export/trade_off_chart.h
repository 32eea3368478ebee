// SPDX-License-Identifier: GPL-3.0-or-later
/// What policies cost against what they lose: perplexity over KV fraction, on the same text.
#pragma once

#include <span>
#include <string>

#include "core/export/series_chart.h"

namespace natscope {

/// One policy's outcome. Policies of one family are a series.
struct PolicyOutcome {
  std::string policy;      ///< as parse_policy takes it, or the name of another program's method
  double kv_fraction = 0;  ///< after the last of the tokens that were read
  double perplexity = 0;
  std::string name{};  ///< of a run that is none of its family's, since something was set by hand: a series of its own
  double nll_standard_error = 0;  ///< 0: not known; else the perplexity is drawn with a bar
  std::string model{};            ///< which gave the numbers; where there are several, each has series of its own
};

/// What a family looks like in every chart: ChartSeries::look. Another program's method has none of its own.
[[nodiscard]] int family_look(const std::string& policy);

/// Series in the order in which their first policies come, each from left to right; learned roles are drawn strongest.
/// The axis of KV fractions is logarithmic unless a policy holds nothing. At least one outcome.
///   trained_with  the policy that the weights were trained under; empty: not known. What the others are then worth as
///                 baselines is said under the title; where there are several models, that these are.
///   after         what the fractions are of: "after the last token"
[[nodiscard]] SeriesChart trade_off_chart(std::span<const PolicyOutcome> outcomes, const std::string& trained_with,
                                          const std::string& after = "after the last token");

}  // namespace natscope
