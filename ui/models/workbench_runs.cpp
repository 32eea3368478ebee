// SPDX-License-Identifier: GPL-3.0-or-later
/// Runs that take the place of what is shown, out of files or from before, and the one that is kept to come back to.
#include <QFileInfo>
#include <utility>

#include "ui/models/grouped_number.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

quint64 Workbench::beginReading(const QString& path) {
  giveUpReading();
  policyWaits_ = changesWait_ = false;
  readingPath_ = path;
  const quint64 number = ++reading_;
  Q_EMIT stateChanged();
  return number;
}

bool Workbench::endReading(quint64 number) {
  if (number != reading_ || !isReading()) return false;
  readingPath_.clear();
  Q_EMIT stateChanged();
  return true;
}

void Workbench::giveUpReading() {
  if (aside_) before_ = std::exchange(aside_, std::nullopt)->run;
  if (!isReading()) return;
  Q_EMIT logLine(tr("%1 was not opened: something newer was asked for while it was read").arg(readingPath_));
  readingPath_.clear();
  Q_EMIT stateChanged();
}

QString Workbench::sessionFile() const { return file_.tokens == client_.record().size() ? file_.path : QString(); }

QString Workbench::statusText() const {
  return isReading() ? tr("Reading the file %1 …").arg(QFileInfo(readingPath_).fileName()) : status_;
}

void Workbench::keepBefore() {
  const bool isInFile = recording() || file_.tokens == client_.record().size();
  if (sequence_.isEmpty() || isInFile || isOfAside()) return;
  // One that was written in is not given up for one that can be had again by reading its prompt.
  if (before_ && isWritten(*before_) && !client_.hasWritten()) return;
  before_.reset();
  // A prompt that was not read to its end is begun again instead.
  if (client_.isPromptRead()) before_ = shownRun(options_);
}

void Workbench::leaveShown() {
  giveUpReading();
  followUpAt_ = -1;
  policyWaits_ = changesWait_ = false;
  forgetPins();
  keepBefore();
  next_ = Next::nothing;
}

bool Workbench::isWritten(const RunBefore& run) {
  return run.run.session.record.size() > run.run.session.prompt_tokens;
}

Workbench::RunBefore Workbench::shownRun(const PromptOptions& options) const {
  RunBefore shown{client_.shownRun(), options, analysed_, view()};
  shown.run.session.is_chat_turn = options.isChatTurn && options.text == analysed_.text;
  return shown;
}

void Workbench::offerReplaced() {
  if (!replaced_ || client_.isPromptRead()) return;
  if (!before_ || !isWritten(*before_) || isWritten(*replaced_)) before_ = std::exchange(replaced_, std::nullopt);
}

SessionView Workbench::view() const {
  return {selection_.layer(), selection_.head(), selection_.pinned(), selection_.pinnedQuery()};
}

void Workbench::choose(const SessionView& view) {
  selection_.clear();
  selection_.setLayerAndHead(view.layer, view.head);
  for (const TokenPos position : view.pinned) {
    if (!selection_.isPinned(position)) selection_.pin(position, true);
  }
  selection_.pinQuery(view.query);
}

void Workbench::showRunBefore() {
  if (!before_) return;
  giveUpReading();  // what was put aside is then the one to go back to
  const RunBefore back = *std::exchange(before_, std::nullopt);
  const std::shared_ptr<const Recording> file = recording();
  leaveShown();  // which keeps it: so one can go to and fro
  isSessionShown_ = false;
  areChangesAside_ = false;
  takeRoleChanges(back.beginning.changes);
  asked_ = back.beginning;
  Q_EMIT errorCleared();
  say(tr("The previous run: %1").arg(tokensInWords(back.run.session.record.size())));
  client_.showAgain(back.run);
  choose(back.view);
  // What was typed while a recording was shown stays.
  if (!file) {
    options_ = back.options;
  } else if (options_.text == file->promptText()) {
    options_.text = back.options.text;
  }
  Q_EMIT sessionShown(options_);
  Q_EMIT stateChanged();
}

bool Workbench::canPutAside() const {
  const bool isWhole = !sequence_.isEmpty() && client_.isPromptRead();
  return canAnalyse() && isWhole && !isReading() && !recording() && client_.knowsSequence() && client_.canReadAgain() &&
         client_.isOfOpenModel();
}

void Workbench::readAside(const Policy& policy) {
  if (!canPutAside()) return;
  const bool isFirst = !aside_;
  if (isFirst) aside_ = {shownRun(options_), file_};
  next_ = Next::nothing;
  policyWaits_ = isCutToFit_ = false;
  lostReason_.clear();
  rememberPins();
  asked_ = {analysed_.text, QString::fromStdString(to_string(policy)), {}};
  RolePlan plan;
  plan.policy = policy;
  const std::uint64_t number = client_.readAgain(plan);
  asides_.second = number;
  if (isFirst) asides_.first = number;
}

bool Workbench::isOfAside() const {
  const std::uint64_t shown = client_.shownNumber();
  return asides_.first != 0 && shown >= asides_.first && shown <= asides_.second;
}

void Workbench::endAside() {
  if (!aside_) return;
  const auto [back, file] = *std::exchange(aside_, std::nullopt);
  next_ = Next::nothing;
  forgetPins();
  asked_ = back.beginning;
  say(tr("%1 are shown again").arg(tokensInWords(back.run.session.record.size())));
  client_.showAgain(back.run);
  choose(back.view);
  file_ = file;
  Q_EMIT stateChanged();
}

void Workbench::showSession(const Session& session, const QString& path) {
  leaveShown();
  isSessionShown_ = true;
  const RoleChanges changes = RoleChanges::of(session.provenance.by_hand);
  // Another model's layers and heads are others.
  const auto& model = client_.model();
  const bool isOfModel = !model || model->sha256.empty() || model->sha256 == session.provenance.model_sha256;
  areChangesAside_ = !isOfModel;
  takeRoleChanges(isOfModel ? changes : RoleChanges{});
  asked_ = {QString::fromStdString(session.prompt), QString::fromStdString(session.policy), changes};
  options_.text = asked_.text;
  options_.policy = asked_.policy;
  options_.isChatTurn = session.is_chat_turn;
  options_.sampling = session.sampling;
  options_.maxNewTokens = session.max_new_tokens;
  Q_EMIT errorCleared();
  say(tr("A session of %1, made with %2")
          .arg(tokensInWords(session.record.size()), QString::fromStdString(session.model_path)));
  client_.showSession(session);
  if (session.view) choose(*session.view);
  file_ = {path, session.record.size()};
  Q_EMIT sessionShown(options_);
  Q_EMIT stateChanged();
}

void Workbench::showRecording(const std::shared_ptr<const Recording>& recording) {
  leaveShown();
  isSessionShown_ = true;  // a model that is opened meanwhile does not take its place
  openRecording_ = recording;
  takeRoleChanges({});
  const Session& session = recording->session();
  asked_ = {{}, QString::fromStdString(session.policy), RoleChanges::of(session.provenance.by_hand)};
  Q_EMIT errorCleared();
  say(tr("A recording of %1").arg(tokensInWords(recording->session().record.size())));
  client_.showRecording(recording->session());
  if (recording->hasTexts()) {
    options_.text = recording->promptText();
    options_.isChatTurn = false;
    Q_EMIT sessionShown(options_);
  }
  // A head that has a map, where there is one.
  const std::vector<MapId>& maps = recording->trace().provenance().maps;
  if (!maps.empty() && !recording->hasMap({selection_.layer(), selection_.head()}))
    selection_.setLayerAndHead(maps.front().layer, maps.front().head);
  Q_EMIT stateChanged();
}

}  // namespace natscope::ui
