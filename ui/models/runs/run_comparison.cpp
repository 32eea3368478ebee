// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/runs/run_comparison.h"

#include <QFileInfo>
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/cache/policy.h"
#include "ui/models/elsewhere.h"
#include "ui/models/grouped_number.h"
#include "ui/models/model_label.h"
#include "ui/models/run_facts.h"

namespace natscope::ui {
namespace {

QString withSign(double difference, const QString& size) {
  return (difference < 0 ? QStringLiteral("−") : QStringLiteral("+")) + size;
}

/// Percentage points between two shares as they are shown: the difference that a reader finds, too.
QString pointsBetween(double share, double other) {
  const double tenths = std::round(1000 * share) - std::round(1000 * other);
  return withSign(tenths, QString::number(std::abs(tenths) / 10, 'f', 1));
}

/// Whether two prompts read alike, whatever tokens they were cut into.
bool readAlike(const SequenceRecord& a, std::int64_t tokens, const SequenceRecord& b, std::int64_t otherTokens) {
  const auto textOf = [](const SequenceRecord& record, std::int64_t count) {
    std::string text;
    for (const TokenFrame& frame : record.frames().first(static_cast<std::size_t>(count))) text += frame.text;
    return text;
  };
  const std::string text = textOf(a, tokens);
  return !text.empty() && text == textOf(b, otherTokens);
}

/// What their records take, but for what does not grow with the heads: of a token in each head its role twice, what is
/// held, next_global and the last query, and three scores where there are any.
std::int64_t bytesOf(const std::vector<std::shared_ptr<const KeptRun>>& runs) {
  std::int64_t bytes = 0;
  for (const auto& run : runs) {
    const CacheGeometry& geometry = run->record.geometry();
    const std::int64_t ofHead = 2 + 3 * 4 + (run->record.has_scores() ? 3 * 4 : 0);
    bytes += run->record.size() * geometry.layers * geometry.kv_heads * ofHead;
  }
  return bytes;
}

/// Made in the same way of the same tokens, which were as probable, with as much held at their end. (A model that was
/// trained on has the name that it had.)
bool areSame(const KeptRun& a, const KeptRun& b) {
  if (a.name != b.name || a.model != b.model || a.promptTokens != b.promptTokens) return false;
  const std::int64_t size = a.record.size();
  if (size != b.record.size() || !(a.provenance.by_hand == b.provenance.by_hand)) return false;
  if (size > 0 && a.record.frames().back().counts.entries != b.record.frames().back().counts.entries) return false;
  return std::ranges::equal(a.record.frames(), b.record.frames(), [](const TokenFrame& one, const TokenFrame& other) {
    return one.token == other.token && one.probability == other.probability;
  });
}

}  // namespace

RunComparison::RunComparison(Workbench& workbench, QObject* parent)
    : QObject(parent), workbench_(workbench), losses_(workbench.sequence()) {
  // First of those who hear of it: the others may ask for losses.
  connect(this, &RunComparison::changed, &losses_, [this] {
    ofPrompt_.reset();
    losses_.setKept(kept_);
  });
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, [this] { ofPrompt_.reset(); });
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
  run->untrained = untrainedPolicyWords(workbench_.client());
  run->rest = workbench_.client().session();
  run->rest->record = {};  // the run has it
  run->rest->is_chat_turn = workbench_.isOfChatTurn();
  kept_ = add(run);
  Q_EMIT changed();
  if (kept_ != run) return;
  // The next token would copy what the two share, on this thread. Where one may come, another thread does it before.
  if (!workbench_.canContinue() && !workbench_.isRunning()) return;
  elsewhere(
      this,
      [record = run->record]() mutable {
        // Changes no frame; but a record that is changed has its tokens for itself.
        record.finish_prompt(TokenPos(static_cast<std::int32_t>(record.size())), 0, 0);
        return std::move(record);
      },
      [this, run](Expected<SequenceRecord>& own) {
        if (own) {
          run->record = *std::move(own);
        } else {
          forget(run);
          Q_EMIT failed(own.error());
        }
      });
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

std::shared_ptr<const Session> RunComparison::asFile() const {
  if (!kept_ || !kept_->rest) return asSession();
  auto session = std::make_shared<Session>(*kept_->rest);
  session->record = kept_->record;
  return session;
}

std::shared_ptr<const KeptRun> RunComparison::add(const std::shared_ptr<const KeptRun>& run) {
  const auto same = std::find_if(runs_.begin(), runs_.end(), [&](const auto& each) { return areSame(*each, *run); });
  if (same != runs_.end()) return *same;
  runs_.push_back(run);
  while (runs_.size() > mostKept || (runs_.size() > 2 && bytesOf(runs_) > mostBytes_)) {
    const auto oldest = runs_.front() == kept_ ? runs_.begin() + 1 : runs_.begin();
    const QString name = (*oldest)->name;
    files_.remove(oldest->get());
    runs_.erase(oldest);
    Q_EMIT letGo(name);
  }
  return run;
}

void RunComparison::choose(int index) {
  if (index < 0 || index >= static_cast<int>(runs_.size())) return;
  if (std::exchange(kept_, runs_[static_cast<std::size_t>(index)]) != runs_[static_cast<std::size_t>(index)])
    Q_EMIT changed();
}

bool RunComparison::restore(const Session& session) {
  auto run = std::make_shared<KeptRun>();
  run->record = session.record;
  run->promptTokens = std::min(session.prompt_tokens, session.record.size());
  run->name = QString::fromStdString(run_name(session.policy, session.record.window(), session.provenance.by_hand));
  run->model = QString::fromStdString(session.model_path);
  run->provenance = session.provenance;
  run->provenance.policy = session.policy;
  run->untrained = untrainedPolicyWords(session.policy, session.record.has_scores());
  const auto added = add(run);
  const bool isCompared = !kept_ || kept_ == added;
  if (!kept_) kept_ = added;
  Q_EMIT changed();
  return isCompared;
}

void RunComparison::setFile(const std::shared_ptr<const KeptRun>& run, const QString& path) {
  if (std::ranges::find(runs_, run) != runs_.end()) files_.insert(run.get(), path);
}

void RunComparison::forgetFile(const QString& path) {
  files_.removeIf([written = QFileInfo(path)](const auto& file) { return QFileInfo(file.value()) == written; });
}

void RunComparison::drop() {
  if (kept_) forget(kept_);
}

void RunComparison::forget(std::shared_ptr<const KeptRun> run) {
  files_.remove(run.get());
  if (std::erase(runs_, run) == 0) return;
  if (kept_ == run) kept_ = runs_.empty() ? nullptr : runs_.back();
  Q_EMIT changed();
}

QString RunComparison::inWords(int leftOut) const {
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
  QString words = names + (leftOut < 3 ? tr(", after token %1: ").arg(groupedNumber(tokens - 1)) : tr(": "));
  if (leftOut < 2) {
    words += tr("entries %1 / %2 (<b>%3</b>), ")
                 .arg(groupedNumber(here.entries), groupedNumber(there.entries),
                      withSign(static_cast<double>(more), groupedNumber(std::abs(more))));
  }
  words += tr("KV %1 / %2 % (<b>%3 pp</b>)")
               .arg(percentNumber(here.fraction), percentNumber(there.fraction),
                    pointsBetween(here.fraction, there.fraction));
  words += perplexityWords(now, leftOut < 3);
  // Beside learned roles a baseline looks worse than one that a model was trained for.
  const QString untrained = untrainedPolicyWords(workbench_.client());
  if (leftOut > 0) {
    QStringList those;
    if (!untrained.isEmpty()) those << presentName();
    if (!kept_->untrained.isEmpty() && !those.contains(kept_->name)) those << kept_->name;
    return those.isEmpty() ? words
                           : words + tr("; ▲ not trained under %1").arg(those.join(tr(" and ")).toHtmlEscaped());
  }
  if (!untrained.isEmpty()) words += tr("; %1: %2").arg(presentName().toHtmlEscaped(), untrained.toHtmlEscaped());
  if (!kept_->untrained.isEmpty())
    words += tr("; %1: %2").arg(kept_->name.toHtmlEscaped(), kept_->untrained.toHtmlEscaped());
  return words;
}

const RunComparison::OfPrompt& RunComparison::ofPrompt(std::int64_t tokens) const {
  if (ofPrompt_ && ofPrompt_->tokens == tokens) return *ofPrompt_;
  const SequenceRecord& now = workbench_.sequence().record();
  ofPrompt_ = OfPrompt{.tokens = tokens};
  ++promptsRead_;
  ofPrompt_->isSame = have_same_beginning(now, kept_->record, tokens);
  if (!ofPrompt_->isSame) {
    ofPrompt_->isSameText = readAlike(now, tokens, kept_->record, kept_->promptTokens);
    return *ofPrompt_;
  }
  const RunOutcome mine = run_outcome(now, tokens);
  const RunOutcome other = run_outcome(kept_->record, tokens);
  ofPrompt_->mine = mine.perplexity;
  ofPrompt_->other = other.perplexity;
  ofPrompt_->dropsAfterReading = mine.drops_after_reading || other.drops_after_reading;
  return *ofPrompt_;
}

QString RunComparison::perplexityWords(const SequenceRecord& now, bool saysOfWhat) const {
  const std::int64_t prompt = std::min(workbench_.client().promptTokens(), now.size());
  const auto& [tokens, isSame, isSameText, dropsAfterReading, mine, other] = ofPrompt(prompt);
  if (!isSame && isSameText)
    return saysOfWhat ? tr("; the same prompt, but the tokenizers differ: perplexity per token does not compare")
                      : tr("; other tokenizers");
  if (!isSame) return saysOfWhat ? tr("; other prompts, so no perplexity side by side") : tr("; other prompts");
  if (!mine || !other) return {};
  if (dropsAfterReading)
    return saysOfWhat ? tr("; the prompt was read before anything was dropped, so no perplexity side by side")
                      : tr("; dropped after reading");
  return (saysOfWhat ? tr("; perplexity of the prompt %1 / %2 (<b>%3</b>)") : tr("; perplexity %1 / %2 (<b>%3</b>)"))
      .arg(perplexityText(*mine), perplexityText(*other),
           withSign(*mine - *other, perplexityText(std::abs(*mine - *other))));
}

}  // namespace natscope::ui
