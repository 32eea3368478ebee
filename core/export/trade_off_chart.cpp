// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/trade_off_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/cache/policy.h"
#include "core/cache/policy_names.h"

namespace natscope {
namespace {

/// By their looks. Grey is what the others are measured by.
constexpr std::array<Policy::Kind, 10> kinds{
    Policy::Kind::full,       Policy::Kind::model, Policy::Kind::window, Policy::Kind::streaming, Policy::Kind::h2o,
    Policy::Kind::longformer, Policy::Kind::tova,  Policy::Kind::snapkv, Policy::Kind::pyramidkv, Policy::Kind::adakv};

}  // namespace

int family_look(const std::string& policy) {
  const auto kind = std::ranges::find(kinds, policy.substr(0, policy.find(':')), policy_name);
  return kind == kinds.end() ? -1 : static_cast<int>(kind - kinds.begin());
}

SeriesChart trade_off_chart(std::span<const PolicyOutcome> outcomes, const std::string& trained_with,
                            const std::string& after) {
  SeriesChart chart;
  chart.title = "Perplexity against KV fraction";
  chart.x_label = "KV fraction " + after;
  chart.y_label = "perplexity";
  chart.log_x = std::ranges::none_of(outcomes, [](const PolicyOutcome& each) { return each.kv_fraction <= 0; });
  const auto is_of_first = [&](const PolicyOutcome& each) { return each.model == outcomes.front().model; };
  const bool is_one_model = std::ranges::all_of(outcomes, is_of_first);
  for (const PolicyOutcome& each : outcomes) {
    const auto one = [](double value) { return Spread{value, value, value}; };
    const double factor = std::exp(each.nll_standard_error);
    const Spread y{each.perplexity, each.perplexity / factor, each.perplexity * factor};
    const std::string of_model = each.name.empty() ? family_name(each.policy) : each.name;
    const std::string name = is_one_model ? of_model : each.model + ": " + of_model;
    add_point(chart, name, each.policy != "model", {.x = one(each.kv_fraction), .y = y});
    for (ChartSeries& series : chart.series) {
      if (series.name == name && each.name.empty() && is_of_first(each)) series.look = family_look(each.policy);
    }
  }
  const bool is_of_others =
      std::ranges::any_of(outcomes, [&](const auto& each) { return each.policy != trained_with; });
  if (!is_one_model) {
    chart.note = "Of several models, named in front: only policies of one model differ by the policy alone.";
  } else if (!trained_with.empty() && trained_with != "full" && is_of_others) {
    const std::string with = trained_with == "model" ? "its learned roles" : trained_with;
    chart.note = "The model was trained with " + with + "; under the other policies it is not what it was trained for.";
  }
  sort_points(chart);
  return chart;
}

}  // namespace natscope
