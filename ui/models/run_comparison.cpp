// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_comparison.h"

#include <algorithm>
#include <cmath>

#include "core/cache/policy.h"
#include "ui/models/elsewhere.h"
#include "ui/models/grouped_number.h"
#include "ui/models/model_label.h"
#include "ui/models/run_facts.h"

namespace natscope::ui {
namespace {

QString percent(double share) { return QString::number(100 * share, 'f', 1); }

QString withSign(double difference, const QString& size) {
  return (difference < 0 ? QStringLiteral("−") : QStringLiteral("+")) + size;
}

/// Percentage points between two shares as they are shown: the difference that a reader finds, too.
QString pointsBetween(double share, double other) {
  const double tenths = std::round(1000 * share) - std::round(1000 * other);
  return withSign(tenths, QString::number(std::abs(tenths) / 10, 'f', 1));
}

}  // namespace

RunComparison::RunComparison(Workbench& workbench, QObject* parent)
    : QObject(parent), workbench_(workbench), losses_(workbench.sequence()) {
  // First of those who hear of it: the others may ask for losses.
  connect(this, &RunComparison::changed, &losses_, [this] { losses_.setKept(kept_); });
}

QString RunComparison::presentName() const {
  const EngineClient& client = workbench_.client();
  return QString::fromStdString(run_name(client.policy(), client.record().window(), client.setByHand()));
}

QString RunComparison::presentModel() const {
  if (const auto recording = workbench_.recording())
    return QString::fromStdString(recording->path().filename().string());
  return modelLabel(QString::fromStdString(workbench_.client().shownModel()));
}

void RunComparison::keep() {
  if (!canKeep()) return;
  auto run = std::make_shared<KeptRun>();
  run->record = workbench_.sequence().record();
  run->promptTokens = std::min(workbench_.client().promptTokens(), run->record.size());
  run->name = presentName();
  run->model = presentModel();
  run->provenance = workbench_.client().provenance();
  run->hasRoles = workbench_.sequence().hasRoles();
  run->untrained = untrainedPolicyWords(workbench_.client());
  kept_ = run;
  Q_EMIT changed();
  // The next token would copy what the two share, on this thread. Where one may come, another thread does it before.
  if (!workbench_.canContinue() && !workbench_.isRunning()) return;
  elsewhere(
      this,
      [record = run->record]() mutable {
        // Changes no frame; but a record that is changed has its tokens for itself.
        record.finish_prompt(TokenPos(static_cast<std::int32_t>(record.size())), 0, 0);
        return std::move(record);
      },
      [run](SequenceRecord& own) { run->record = std::move(own); });
}

std::shared_ptr<const Session> RunComparison::asSession() const {
  if (!kept_) return nullptr;
  auto session = std::make_shared<Session>();
  session->record = kept_->record;
  session->prompt_tokens = kept_->promptTokens;
  session->policy = kept_->provenance.policy;
  session->provenance = kept_->provenance;
  session->model_path = kept_->model.toStdString();
  return session;
}

bool RunComparison::restore(const Session& session) {
  if (kept_) return false;
  auto run = std::make_shared<KeptRun>();
  run->record = session.record;
  run->promptTokens = std::min(session.prompt_tokens, session.record.size());
  run->name = QString::fromStdString(run_name(session.policy, session.record.window(), session.provenance.by_hand));
  run->model = QString::fromStdString(session.model_path);
  run->provenance = session.provenance;
  run->provenance.policy = session.policy;
  run->hasRoles = has_roles(session.policy);
  kept_ = run;
  Q_EMIT changed();
  return true;
}

void RunComparison::drop() {
  if (!kept_) return;
  kept_.reset();
  Q_EMIT changed();
}

QString RunComparison::inWords() const {
  if (!kept_) return {};
  const SequenceRecord& now = workbench_.sequence().record();
  const std::int64_t tokens = std::min(now.size(), kept_->record.size());
  const bool isOneModel = presentModel() == kept_->model;
  const auto named = [&](const QString& model, const QString& name) {
    return (isOneModel ? name : QStringLiteral("%1: %2").arg(model, name)).toHtmlEscaped();
  };
  const QString names = tr("<b>%1</b> against <b>%2</b> (kept)")
                            .arg(named(presentModel(), presentName()), named(kept_->model, kept_->name));
  if (tokens == 0) return names;
  const RunFigures here = run_figures(now, tokens);
  const RunFigures there = run_figures(kept_->record, tokens);
  const std::int64_t more = here.entries - there.entries;
  QString words =
      names + tr(", after token %1: entries %2 / %3 (<b>%4</b>), KV %5 / %6 % (<b>%7 pp</b>)")
                  .arg(tokens - 1)
                  .arg(groupedNumber(here.entries), groupedNumber(there.entries),
                       withSign(static_cast<double>(more), groupedNumber(std::abs(more))), percent(here.fraction),
                       percent(there.fraction), pointsBetween(here.fraction, there.fraction));
  words += perplexityWords(now);
  // Beside learned roles a baseline looks worse than one that a model was trained for.
  const QString untrained = untrainedPolicyWords(workbench_.client());
  if (!untrained.isEmpty()) words += tr("; %1: %2").arg(presentName().toHtmlEscaped(), untrained.toHtmlEscaped());
  if (!kept_->untrained.isEmpty())
    words += tr("; %1: %2").arg(kept_->name.toHtmlEscaped(), kept_->untrained.toHtmlEscaped());
  return words;
}

QString RunComparison::perplexityWords(const SequenceRecord& now) const {
  const std::int64_t prompt = std::min(workbench_.client().promptTokens(), now.size());
  if (prompt != kept_->promptTokens || !have_same_beginning(now, kept_->record, prompt))
    return tr("; other prompts, so no perplexity side by side");
  const auto mine = prompt_perplexity(now, prompt);
  const auto other = prompt_perplexity(kept_->record, prompt);
  if (!mine || !other) return {};
  return tr("; perplexity of the prompt %1 / %2 (<b>%3</b>)")
      .arg(QString::number(*mine, 'f', 3), QString::number(*other, 'f', 3),
           withSign(*mine - *other, QString::number(std::abs(*mine - *other), 'f', 3)));
}

}  // namespace natscope::ui
