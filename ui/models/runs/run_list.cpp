// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/runs/run_list.h"

#include <algorithm>

namespace natscope::ui {
namespace {

/// As its family: a model without score layers gives every token the role that full attention gives it.
std::string familyPolicy(const std::string& policy, const SequenceRecord& record) {
  const bool isLearned = record.has_scores() || record.window();
  return policy == "model" && !isLearned ? "full" : policy;
}

bool areAlike(const RunRow& a, const RunRow& b) {
  return a.name == b.name && a.model == b.model && a.is_same_text && b.is_same_text &&
         a.outcome.figures.entries == b.outcome.figures.entries && a.outcome.perplexity == b.outcome.perplexity;
}

}  // namespace

RunList::RunList(Workbench& workbench, RunComparison& comparison, QObject* parent)
    : QObject(parent), workbench_(workbench), comparison_(comparison) {
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, [this] {
    if (workbench_.isAside()) return;  // the same tokens, for a while
    shown_.reset();
    for (Known& known : known_) known.isSameText.reset();
  });
  connect(&comparison_, &RunComparison::changed, this, [this] {
    const auto& runs = comparison_.runs();
    known_.removeIf([&](const auto& known) {
      return std::ranges::none_of(runs, [&](const auto& run) { return run.get() == known.key(); });
    });
  });
}

bool RunList::hasShown() const {
  if (shown_ || workbench_.isAside()) return shown_.has_value();
  const SequenceRecord& record = workbench_.sequence().record();
  if (record.size() == 0 || !workbench_.client().isPromptRead()) return false;
  shown_ = RunRow{.name = comparison_.presentName().toStdString(),
                  .policy = familyPolicy(workbench_.client().policy(), record),
                  .model = comparison_.presentModel().toStdString(),
                  .is_set_by_hand = !workbench_.client().setByHand().empty(),
                  .outcome = run_outcome(record, workbench_.client().promptTokens())};
  return true;
}

RunList::Known& RunList::knownOf(const std::shared_ptr<const KeptRun>& run) const {
  const auto found = known_.find(run.get());
  if (found != known_.end()) return *found;
  return *known_.insert(run.get(), Known{.outcome = run_outcome(run->record, run->promptTokens)});
}

std::vector<RunList::Row> RunList::rows() const {
  std::vector<Row> rows;
  if (hasShown()) rows.push_back({.figures = *shown_, .kept = {}});
  const auto& runs = comparison_.runs();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Known& known = knownOf(runs[i]);
    if (!known.isSameText && !workbench_.isAside() && shown_) {
      // What one script calls a prompt and another one its continuation: tokens are tokens.
      const std::int64_t prompt = shown_->outcome.figures.tokens;
      known.isSameText = have_same_beginning(workbench_.sequence().record(), runs[i]->record, prompt);
      const std::int64_t tokens = *known.isSameText ? prompt : runs[i]->promptTokens;
      if (tokens != known.outcome.figures.tokens) known.outcome = run_outcome(runs[i]->record, tokens);
    }
    Row row{.figures = {.name = runs[i]->name.toStdString(),
                        .policy = familyPolicy(runs[i]->provenance.policy, runs[i]->record),
                        .model = runs[i]->model.toStdString(),
                        .is_set_by_hand = !runs[i]->provenance.by_hand.empty(),
                        .outcome = known.outcome,
                        // What stands in for the shown run has its tokens.
                        .is_same_text = known.isSameText.value_or(true)},
            .kept = static_cast<int>(i),
            .isCompared = runs[i] == comparison_.kept()};
    if (shown_ && !rows.empty() && areAlike(*shown_, row.figures)) {
      rows.front().isCompared |= row.isCompared;
      continue;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string RunList::trainedWith() const {
  const EngineClient& client = workbench_.client();
  if (!client.model() || !client.isOfOpenModel()) return {};
  return client.record().has_scores() ? std::string("model") : client.model()->training_policy;
}

}  // namespace natscope::ui
