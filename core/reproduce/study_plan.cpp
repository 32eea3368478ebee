// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/study_plan.h"

#include <nlohmann/json.hpp>

#include "core/cache/policy_budget.h"

namespace natscope::reproduce {

const char* name(TrainedWith trained) {
  switch (trained) {
    case TrainedWith::full:
      return "full";
    case TrainedWith::nats:
      return "nats";
    case TrainedWith::nats_as_paper:
      return "nats-paper-charge";
    case TrainedWith::window:
      return "window";
    case TrainedWith::streaming:
      return "streaming";
  }
  return "";
}

std::vector<StudyRun> study_plan(const StudyOptions& options) {
  std::vector<StudyRun> plan;
  const auto add = [&plan](TrainedWith trained, std::optional<double> lambda, int seed, std::string budget_of = {}) {
    std::string key = name(trained);
    if (lambda) key += "-" + nlohmann::json(*lambda).dump();
    key += "-seed" + std::to_string(seed);
    plan.push_back({key, trained, lambda, seed, std::move(budget_of)});
    return key;
  };
  for (int seed = 0; seed < options.seeds; ++seed) {
    add(TrainedWith::full, {}, seed);
    std::vector<std::string> learned;
    for (const double lambda : options.lambdas) learned.push_back(add(TrainedWith::nats, lambda, seed));
    for (std::size_t i = 0; i < learned.size(); ++i) {
      add(TrainedWith::window, options.lambdas[i], seed, learned[i]);
      add(TrainedWith::streaming, options.lambdas[i], seed, learned[i]);
    }
  }
  for (int seed = 0; seed < options.seeds; ++seed) {
    for (const double lambda : options.lambdas) {
      if (lambda > 0) add(TrainedWith::nats_as_paper, lambda, seed);
    }
  }
  return plan;
}

std::vector<Policy> applied_baselines(std::int64_t context) {
  std::vector<Policy> policies;
  for (const double budget : {0.03125, 0.0625, 0.125, 0.25, 0.5}) {
    policies.push_back(policy_at_budget(Policy::Kind::streaming, budget, context));
    policies.push_back(policy_at_budget(Policy::Kind::h2o, budget, context));
  }
  return policies;
}

}  // namespace natscope::reproduce
