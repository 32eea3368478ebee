// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/progress_json.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace natscope::train {

namespace {

using nlohmann::json;

/// "G .31 L .08 S .61 KV 34.1 %"
std::string roles_text(const HeadRoles& roles) {
  char text[96];
  std::snprintf(text, sizeof text, "G %.2f L %.2f S %.2f KV %4.1f %%", share(roles, Role::global),
                share(roles, Role::local), share(roles, Role::sliding), 100.0 * kv_fraction(roles));
  return text;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(std::llround(seconds));
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  return text;
}

}  // namespace

json roles_json(const HeadRoles& roles) {
  return {{"global", share(roles, Role::global)},
          {"local", share(roles, Role::local)},
          {"sliding", share(roles, Role::sliding)},
          {"kv_fraction", kv_fraction(roles)}};
}

json progress_json(const StepReport& report) {
  return {{"step", report.step},
          {"loss", report.loss},
          {"learning_rate", report.learning_rate},
          {"gradient_norm", report.gradient_norm},
          {"tokens_per_s", report.tokens_per_s},
          {"eta_s", report.eta_s},
          {"sampled", report.has_roles ? roles_json(report.sampled) : json()},
          {"argmax", report.has_roles ? roles_json(report.argmax) : json()}};
}

json progress_json(const Evaluation& evaluation, int kv_heads) {
  json heads = json::array();
  for (std::size_t i = 0; i < evaluation.roles.heads.size(); ++i) {
    if (i % static_cast<std::size_t>(kv_heads) == 0) heads.push_back(json::array());
    heads.back().push_back(roles_json(evaluation.roles.heads[i]));
  }
  return {{"step", evaluation.step},
          {"evaluation",
           {{"tokens", evaluation.tokens},
            {"nll", evaluation.nll},
            {"perplexity", evaluation.perplexity()},
            {"bits_per_byte", evaluation.bits_per_byte},
            {"distance", evaluation.distance ? json(*evaluation.distance) : json()},
            {"full_nll", evaluation.full_nll ? json(*evaluation.full_nll) : json()},
            {"roles", evaluation.has_roles ? roles_json(evaluation.roles.total()) : json()},
            {"heads", evaluation.has_roles ? heads : json()}}}};
}

std::string progress_text(const StepReport& report) {
  char text[160];
  std::snprintf(text, sizeof text, "step %lld/%lld  loss %.5g  %.0f tok/s", static_cast<long long>(report.step),
                static_cast<long long>(report.steps), report.loss, report.usual_tokens_per_s);
  std::string line = text;
  if (report.has_roles) {
    line += "  sampled " + roles_text(report.sampled) + "  argmax " + roles_text(report.argmax);
  }
  return line + "  ETA " + duration_text(report.eta_s);
}

std::string evaluation_text(const Evaluation& evaluation) {
  char text[160];
  std::snprintf(text, sizeof text, "held out after step %lld: nll %.4f  perplexity %.3f  %.4f bits per byte",
                static_cast<long long>(evaluation.step), evaluation.nll, evaluation.perplexity(),
                evaluation.bits_per_byte);
  std::string line = text;
  if (evaluation.full_nll) {
    std::snprintf(text, sizeof text, "  full attention %.3f  distance %.5f", std::exp(*evaluation.full_nll),
                  evaluation.distance.value_or(0.0));
    line += text;
  }
  if (evaluation.has_roles) line += "  argmax " + roles_text(evaluation.roles.total());
  return line;
}

}  // namespace natscope::train
