// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/runs/baseline_runs.h"

#include <algorithm>

#include "core/cache/policy_budget.h"
#include "core/explore/run_figures.h"

namespace natscope::ui {

BaselineRuns::BaselineRuns(Workbench& workbench, RunComparison& comparison, QObject* parent)
    : QObject(parent), workbench_(workbench), comparison_(comparison) {
  // The workbench hears of each of them first.
  connect(&workbench_.client(), &EngineClient::analysed, this, &BaselineRuns::take);
  connect(&workbench_.client(), &EngineClient::failed, this, &BaselineRuns::end);
  connect(&workbench_.client(), &EngineClient::engineLost, this, &BaselineRuns::end);
  connect(&workbench_, &Workbench::stateChanged, this, [this] {
    if (isRunning() && !workbench_.isAside()) giveUp();
  });
}

bool BaselineRuns::canBegin() const { return !isRunning() && workbench_.canPutAside(); }

double BaselineRuns::ownBudget() const {
  return run_figures(workbench_.sequence().record(), workbench_.client().promptTokens()).fraction;
}

QString BaselineRuns::words() const {
  if (!isRunning()) return {};
  return tr("%1 of %2: %3").arg(at_ + 1).arg(policies_.size()).arg(QString::fromStdString(to_string(policies_[at_])));
}

bool BaselineRuns::isOfPromptAlone() const { return !workbench_.client().hasWritten(); }

double BaselineRuns::presentBudget() const {
  const SequenceRecord& record = workbench_.sequence().record();
  return run_figures(record, record.size()).fraction;
}

void BaselineRuns::begin(double budget) { read(budget, workbench_.client().promptTokens()); }

void BaselineRuns::beginAtPresent() { read(presentBudget(), workbench_.sequence().record().size()); }

void BaselineRuns::read(double budget, std::int64_t tokens) {
  if (!canBegin()) return;
  const EngineClient& client = workbench_.client();
  const bool hasScores = client.record().has_scores();
  std::vector<Policy> policies;
  if (hasScores) policies.emplace_back();
  policies.emplace_back().kind = Policy::Kind::full;
  for (const Policy::Kind kind : budget_kinds) policies.push_back(policy_at_budget(kind, budget, tokens));
  // What is shown, or kept, need not be read for it once more; with roles set by hand that is another run.
  std::erase_if(policies, [&](const Policy& policy) {
    const std::string name = to_string(policy);
    const bool isFullAlready = policy.kind == Policy::Kind::full && client.policy() == "model" && !hasScores;
    const bool isShown = client.setByHand().empty() && (isFullAlready || name == client.policy());
    return isShown || std::ranges::any_of(comparison_.runs(), [&](const auto& run) { return isOfShown(*run, name); });
  });
  policies_ = std::move(policies);
  at_ = 0;
  if (isRunning()) next();
}

bool BaselineRuns::isOfShown(const KeptRun& run, const std::string& policy) const {
  const EngineClient& client = workbench_.client();
  const std::int64_t prompt = client.promptTokens();
  return run.provenance.policy == policy && run.provenance.by_hand.empty() && run.promptTokens == prompt &&
         run.provenance.model_sha256 == client.provenance().model_sha256 &&
         have_same_beginning(client.record(), run.record, prompt);
}

void BaselineRuns::next() {
  workbench_.readAside(policies_[at_]);
  Q_EMIT changed();
}

void BaselineRuns::take() {
  if (!isRunning() || !workbench_.isAside()) return;
  comparison_.keep();
  ++at_;
  if (isRunning()) return next();
  // Of what drops behind the prompt nobody knows yet what that costs: it makes a poor comparison to begin with.
  const auto& runs = comparison_.runs();
  const auto found = std::find_if(runs.rbegin(), runs.rend(), [](const auto& run) {
    const auto policy = parse_policy(run->provenance.policy);
    return !policy || !drops_behind_prompt(*policy);
  });
  if (found != runs.rend()) comparison_.choose(static_cast<int>(runs.rend() - found) - 1);
  workbench_.endAside();
  Q_EMIT changed();
}

void BaselineRuns::end() {
  if (!isRunning()) return;
  giveUp();
  workbench_.endAside();
}

void BaselineRuns::giveUp() {
  policies_.clear();
  at_ = 0;
  Q_EMIT changed();
}

}  // namespace natscope::ui
