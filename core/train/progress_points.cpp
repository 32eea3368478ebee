// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/progress_points.h"

#include <cmath>
#include <cstdio>

namespace natscope::train {

namespace {

jobs::RoleShares shares_of(const HeadRoles& roles) {
  return {share(roles, Role::global), share(roles, Role::local), share(roles, Role::sliding), kv_fraction(roles)};
}

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

jobs::StepPoint progress_point(const StepReport& report) {
  jobs::StepPoint point;
  point.step = report.step;
  point.loss = report.loss;
  point.learning_rate = report.learning_rate;
  point.gradient_norm = report.gradient_norm;
  point.tokens_per_s = report.tokens_per_s;
  point.eta_s = report.eta_s;
  if (report.has_roles) {
    point.sampled = shares_of(report.sampled);
    point.argmax = shares_of(report.argmax);
  }
  return point;
}

jobs::EvaluationPoint progress_point(const Evaluation& evaluation, int kv_heads) {
  jobs::EvaluationPoint point;
  point.step = evaluation.step;
  point.tokens = evaluation.tokens;
  point.nll = evaluation.nll;
  point.perplexity = evaluation.perplexity();
  point.bits_per_byte = evaluation.bits_per_byte;
  point.distance = evaluation.distance;
  point.full_nll = evaluation.full_nll;
  if (!evaluation.has_roles) return point;
  point.roles = shares_of(evaluation.roles.total());
  for (std::size_t i = 0; i < evaluation.roles.heads.size(); ++i) {
    if (i % static_cast<std::size_t>(kv_heads) == 0) point.heads.emplace_back();
    point.heads.back().push_back(shares_of(evaluation.roles.heads[i]));
  }
  return point;
}

std::string progress_text(const StepReport& report) {
  char text[160];
  std::snprintf(text, sizeof text, "step %lld/%lld  %s %.5g  %.0f tok/s", static_cast<long long>(report.step),
                static_cast<long long>(report.steps), report.is_distance ? "distance" : "loss", report.loss,
                report.usual_tokens_per_s);
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
