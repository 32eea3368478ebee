// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/workbench.h"

#include <algorithm>

#include "core/cache/plan_check.h"
#include "core/cache/policy.h"
#include "ui/models/grouped_number.h"
#include "ui/models/run_facts.h"

namespace natscope::ui {
namespace {

/// The decode rate is that of this many latest tokens: it follows the text without trembling.
constexpr qint64 rateTokens = 16;

Device deviceOf(const QString& name) {
  if (name == QLatin1String("cpu")) return Device::cpu;
  if (name == QLatin1String("cuda")) return Device::cuda;
  return Device::automatic;
}

QString endWords(StopReason reason) {
  switch (reason) {
    case StopReason::end_of_text:
      return Workbench::tr("the model ended the text");
    case StopReason::max_new_tokens:
      return Workbench::tr("token limit reached");
    case StopReason::context_full:
      return Workbench::tr("the context is full");
    case StopReason::stop_string:
      return Workbench::tr("a stop text came");
    case StopReason::interrupted:
      return Workbench::tr("stopped");
  }
  return {};
}

}  // namespace

Workbench::Workbench(Settings& settings, QObject* parent)
    : QObject(parent),
      settings_(settings),
      search_(sequence_, selection_),
      tiles_(client_, [this] { return recording(); }),
      weights_(client_, [this] { return recording(); }) {
  sequence_.setSource([this]() -> const SequenceRecord& { return client_.record(); },
                      [this](std::int32_t token) { return client_.tokenText(token); });
  sequence_.setPolicy([this] { return client_.policy(); });
  followClient();
}

void Workbench::followClient() {
  connect(&client_, &EngineClient::stateChanged, this, &Workbench::stateChanged);
  // Not at once: what is shown may be on its way to an engine that has just become ready.
  connect(
      &client_, &EngineClient::stateChanged, this,
      [this] {
        if (policyWaits_) return tryPolicy();
        if (changesWait_) applyRoleChanges();
      },
      Qt::QueuedConnection);
  connect(&client_, &EngineClient::modelOpened, this, &Workbench::onModelOpened);
  connect(&client_, &EngineClient::modelIdentified, this, &Workbench::onModelIdentified);
  connect(&client_, &EngineClient::modelRefused, this, [this] { opening_.reset(); });
  connect(&client_, &EngineClient::sequenceEnding, this, &Workbench::onSequenceEnding);
  connect(&client_, &EngineClient::sequenceStarted, this, &Workbench::onSequenceStarted);
  connect(&client_, &EngineClient::recordChanged, this, [this] {
    follow();
    sequence_.refresh(false);
    Q_EMIT stateChanged();
  });
  connect(&client_, &EngineClient::analysed, this, &Workbench::onAnalysed);
  connect(&client_, &EngineClient::followUpRead, this, &Workbench::onFollowUpRead);
  connect(&client_, &EngineClient::followUpFailed, this, &Workbench::onFollowUpFailed);
  connect(&client_, &EngineClient::sequenceRestored, this, &Workbench::onRestored);
  connect(&client_, &EngineClient::notRestored, this, &Workbench::onNotRestored);
  connect(&client_, &EngineClient::finished, this, [this](const FinishedMessage& result) {
    say(tr("%1 generated: %2").arg(tokensInWords(result.generated), endWords(result.reason)));
  });
  connect(&client_, &EngineClient::progress, this,
          [this](ProgressPhase phase, qint64 done, qint64 total, double seconds) {
            if (phase == ProgressPhase::prefill) say(readingWords(done, total, seconds));
          });
  connect(&client_, &EngineClient::failed, this, &Workbench::onFailed);
  connect(&client_, &EngineClient::engineLost, this, &Workbench::onLost);
  connect(&client_, &EngineClient::engineStarted, this,
          [this](const QString& program) { Q_EMIT logLine(tr("Engine started: %1").arg(program)); });
  connect(&client_, &EngineClient::logLine, this, &Workbench::logLine);
}

void Workbench::onSequenceEnding() {
  const bool isWhole = !sequence_.isEmpty() && client_.isPromptRead();
  // In place of a part of a text, what was there before it is what one may want back.
  if (!isWhole || aside_ || isOfAside()) return;
  replaced_.reset();
  if (recording()) return;
  PromptOptions options = options_;
  options.text = analysed_.text;
  options.policy = analysed_.policy;
  replaced_ = shownRun(options);
}

void Workbench::onSequenceStarted() {
  // Only now is what was asked for what is shown: a text that is refused changes nothing.
  analysed_ = asked_;
  file_ = {};
  takePrompt();
  if (!client_.isRecording()) openRecording_.reset();
  follow();
  sequence_.refresh(true);
}

void Workbench::begin(const QStringList& engineCommand, const QString& model, const QString& device, int context) {
  contextModel_ = model;
  context_ = context;
  const QStringList command = engineCommand.isEmpty() ? settings_.engineCommand() : engineCommand;
  if (!command.isEmpty()) client_.setCommandLine(command);
  device_ = device.isEmpty() ? settings_.device() : device;
  client_.start();
  openModel(model);
}

void Workbench::openModel(const QString& folder) { openOn(folder, device()); }

void Workbench::openModelOfShown() {
  isSessionShown_ = true;  // it is kept: the engine is given it once the weights are known to be its own
  openModel(QString::fromStdString(client_.shownModel()));
}

void Workbench::openOn(const QString& folder, const QString& device) {
  if (folder.isEmpty()) return;
  giveUpReading();
  changesWait_ = false;
  followUpAt_ = -1;
  if (modelPath_.isEmpty()) modelPath_ = folder;
  opening_ = {folder, device};
  wasLost_ = false;
  say(tr("Opening %1 …").arg(folder));
  OpenMessage request;
  request.model = folder.toStdString();
  request.device = deviceOf(device);
  request.context = contextOf(folder);
  client_.openModel(request);
}

void Workbench::setDevice(const QString& device) {
  if (device != this->device()) openOn(wantedModel(), device);
}

void Workbench::setEngineCommand(const QStringList& command) {
  settings_.setEngineCommand(command);
  client_.setCommandLine(command);
  client_.restart();
  openModel(wantedModel());
}

void Workbench::onModelOpened(const ModelDescription& model) {
  const auto path = QString::fromStdString(model.path);
  const std::optional<Opening> asked = std::exchange(opening_, std::nullopt);
  if (asked && path != modelPath_) {
    // Which weights it has is known later; where it lies tells as much for now.
    if (path.toStdString() == client_.shownModel())
      takeRoleChangesAgain();
    else
      setRoleChangesAside();
  }
  modelPath_ = path;
  if (asked && asked->device != device_) {
    device_ = asked->device;
    settings_.setDevice(device_);
  }
  settings_.addRecentModel(path);
  follow();
  say(tr("Model open: %1 layers, %2 heads, %3 KV heads").arg(model.layers).arg(model.heads).arg(model.kv_heads));
  Q_EMIT logLine(tr("Opened %1 (%2) on %3")
                     .arg(path, QString::fromStdString(model.architecture), QString::fromStdString(model.device)));
  if (asked) {
    Q_EMIT modelOpened(model);
    wasLost_ = false;
    // What is said of the file that is to be shown stands until somebody has read it.
    // One that is being read was asked for after the model.
    const bool waits = std::exchange(waitsForFile_, false) || isReading();
    if (!waits) Q_EMIT errorCleared();
    // A session's sequence the client gives to the engine once the weights are known to be those that made it.
    if (!waits && !isSessionShown_ && canAnalyse()) askForSequence(Next::nothing);
  } else if (std::exchange(wasLost_, false)) {
    // What was shown stays on screen; the new engine is being given it.
    say(tr("Another engine is ready. What is shown stays."));
    Q_EMIT errorCleared();
  } else {
    // Another model could not be opened; this one is back, and so is what it had. The error stays until it is read.
    say(tr("The previous model is open again. What is shown stays."));
  }
  Q_EMIT stateChanged();
}

void Workbench::follow() {
  // Until another text is analysed the record may still be of the model before: its own shape bounds what is chosen.
  const SequenceRecord& record = client_.record();
  const CacheGeometry& geometry = record.geometry();
  const int known = client_.queryHeads().value_or(0);
  const bool fits = known > 0 && geometry.kv_heads > 0 && known % geometry.kv_heads == 0;
  selection_.setLimits(geometry.layers, fits ? known : geometry.kv_heads, geometry.kv_heads, record.size());
}

bool Workbench::canAnalyse() const { return client_.state() == EngineClient::State::ready; }
bool Workbench::canContinue() const {
  // What no engine has cannot go on, and must not be replaced by what asks for one token more.
  return canAnalyse() && !recording() && (sequence_.isEmpty() || client_.knowsSequence());
}

bool Workbench::canFollowUp() const { return canContinue() && !sequence_.isEmpty() && client_.isPromptRead(); }

std::shared_ptr<const Recording> Workbench::recording() const {
  return client_.isRecording() ? openRecording_ : nullptr;
}

ModelAtHand Workbench::modelAtHand() const {
  const auto& model = client_.model();
  return model ? ModelAtHand{model->path, model->sha256} : ModelAtHand{};
}

bool Workbench::isRunning() const {
  return client_.state() == EngineClient::State::analysing || client_.state() == EngineClient::State::generating;
}

bool Workbench::needsNewSequence() const {
  return !client_.knowsSequence() || sequence_.isEmpty() || !client_.isPromptRead() ||
         analysed_ != Beginning{options_.text, options_.policy, changes_};
}

void Workbench::startSequence(Next next, Read what) {
  if (!canAnalyse()) return;
  giveUpReading();
  askForSequence(next, what);
}

void Workbench::analyseInstead() {
  giveUpReading();
  waitsForFile_ = false;
  // A model that is being opened analyses what the options say when it is open.
  if (canAnalyse() || isRunning()) return askForSequence(Next::nothing);
  isSessionShown_ = false;  // it is not what is wanted any more
}

void Workbench::analyseWhatFits() { startSequence(Next::nothing, Read::whatFits); }

void Workbench::takePrompt() {
  if (!std::exchange(isCutToFit_, false) || !client_.isOfOpenModel()) return;
  analysed_.text = QString::fromStdString(client_.promptText());
  if (analysed_.text == options_.text) return;
  options_.text = analysed_.text;
  Q_EMIT promptTaken(options_.text);
}

void Workbench::askForSequence(Next next, Read what) {
  const auto policy = parse_policy(options_.policy.toStdString());
  if (!policy) {
    forgetAsked();
    Q_EMIT errorRaised(policy.error());
    return;
  }
  next_ = next;
  policyWaits_ = changesWait_ = areChangesAside_ = false;
  followUpAt_ = -1;
  const bool isAgain = what == Read::shownAgain;
  const bool isSameText = isAgain || options_.text == analysed_.text;
  if (isSameText)
    rememberPins();
  else
    forgetPins();
  RoleChanges changes = changes_;
  // What a session was made with cannot be had again: the file is not known by name.
  changes.hadOtherRoles = false;
  // Then it is no longer the one set for the policy before.
  if (changes.window && options_.policy != analysed_.policy && !takes_window(*policy)) {
    Q_EMIT logLine(tr("W %1, set by hand, is taken back: %2 says itself how long tokens stay")
                       .arg(*changes.window)
                       .arg(options_.policy));
    changes.window.reset();
  }
  takeRoleChanges(changes);
  asked_ = {isAgain ? analysed_.text : options_.text, options_.policy, changes_};
  lostReason_.clear();
  RolePlan plan;
  plan.policy = *policy;
  changes_.addTo(plan);
  isCutToFit_ = what == Read::whatFits;
  if (isAgain) {
    client_.readAgain(plan);
    return;
  }
  AnalyseMessage request;
  request.prompt = options_.text.toStdString();
  request.fit = isCutToFit_;
  request.plan = std::move(plan);
  client_.analyse(request);
}

void Workbench::changeRoles(const RoleChanges& changes) {
  if (changes == changes_) return;
  giveUpReading();
  areChangesAside_ = false;
  takeRoleChanges(changes);
  applyRoleChanges();
}

void Workbench::applyRoleChanges() {
  // As with a policy: what is shown goes first to an engine that is still to have it.
  const bool isToCome = !sequence_.isEmpty() && !recording();
  changesWait_ = client_.isRestoring() || (!(canAnalyse() || isRunning()) && isToCome);
  if (!changesWait_ && (canAnalyse() || isRunning()))
    askForSequence(Next::nothing, client_.canReadAgain() ? Read::shownAgain : Read::prompt);
}

void Workbench::rememberPins() {
  if (!selection_.pinned().empty()) pinsAgain_.tokens = selection_.pinned();
  if (selection_.pinnedQuery()) pinsAgain_.query = selection_.pinnedQuery();
}

/// What was pinned meanwhile counts.
void Workbench::pinAgain() {
  const Pins again = std::exchange(pinsAgain_, {});
  const auto isThere = [this](TokenPos position) { return position.value < client_.record().size(); };
  if (selection_.pinned().empty()) {
    for (const TokenPos position : again.tokens) {
      if (isThere(position)) selection_.pin(position, true);
    }
  }
  if (again.query && !selection_.pinnedQuery() && isThere(*again.query)) selection_.pinQuery(again.query);
}

void Workbench::tryPolicy() {
  giveUpReading();
  // What is shown goes to an engine first that is still to have it: else only the prompt would be left of it.
  policyWaits_ = !(canAnalyse() || isRunning()) || client_.isRestoring();
  if (!policyWaits_) askForSequence(Next::nothing, wholeText());
}

Workbench::Read Workbench::wholeText() const {
  return isOfPrompt() && client_.canReadAgain() ? Read::shownAgain : Read::prompt;
}

bool Workbench::isOfPrompt() const { return sequence_.isEmpty() || options_.text == analysed_.text; }

void Workbench::takeRoleChanges(const RoleChanges& changes) {
  if (changes == changes_) return;
  changes_ = changes;
  Q_EMIT roleChangesChanged();
}

void Workbench::setRoleChangesAside() {
  areChangesAside_ = true;
  changesWait_ = false;
  takeRoleChanges({});
}

void Workbench::onModelIdentified() {
  // A session that was shown before said what was set by hand: in another model's layers and heads.
  if (client_.isOfAnotherModel())
    setRoleChangesAside();
  else
    takeRoleChangesAgain();
  Q_EMIT stateChanged();
}

void Workbench::takeRoleChangesAgain() {
  if (std::exchange(areChangesAside_, false) && !recording()) takeRoleChanges(analysed_.changes);
}

void Workbench::onAnalysed() {
  isSessionShown_ = false;
  // What somebody had the model write does not go for good.
  const auto& run = replaced_;
  if (run && run->run.session.record.size() > run->run.session.prompt_tokens) before_ = replaced_;
  replaced_.reset();
  Q_EMIT errorCleared();
  pinAgain();
  say(tr("%1 analysed").arg(tokensInWords(client_.record().size())));
  const Next next = std::exchange(next_, Next::nothing);
  if (next == Next::generate) sendGenerate();
  if (next == Next::step) sendStep();
  if (next == Next::followUp) sendFollowUp();
  Q_EMIT stateChanged();
}

void Workbench::onFollowUpRead(const QString& note) {
  followUpAt_ = -1;
  Q_EMIT followUpRead(note);
  if (std::exchange(next_, Next::nothing) == Next::generate) return sendGenerate();
  say(tr("The follow-up was read"));
}

void Workbench::onFollowUpFailed(const Error& error) {
  next_ = Next::nothing;
  say(partOfFollowUp());
  Q_EMIT logLine(QString::fromStdString(format_error_line(error)));
  Q_EMIT followUpRefused(error);
}

void Workbench::onRestored() {
  const QString tokens = tokensInWords(client_.record().size());
  QString lost = std::exchange(lostReason_, {});
  if (lost.isEmpty()) return say(tr("The engine has the %1 that are shown, and can go on.").arg(tokens));
  lost[0] = lost.at(0).toUpper();
  say(tr("%1. Another one has the %2 that are shown, and can go on.").arg(lost, tokens));
}

void Workbench::onNotRestored(const QString& why) {
  lostReason_.clear();
  const QString words =
      tr("The engine does not have what is shown: %1. Analyse or Generate begins with the prompt again.").arg(why);
  Q_EMIT logLine(words);
  say(words);
}

void Workbench::onLost(const QString& reason) {
  wasLost_ = true;
  lostReason_ = reason;
  followUpAt_ = -1;
  forgetAsked();
  offerReplaced();
  const bool isComingBack = client_.isComingBack();
  say(isComingBack ? tr("The engine is gone; another one is being started.") : tr("There is no engine."));
  const QString next = isComingBack ? tr("what you see stays; another engine is being started")
                                    : tr("what you see stays; choose File / Engine command, or open a model again");
  const Error error = make_error(ErrorCode::engine_lost, reason.toStdString(), next.toStdString());
  // The bar goes as soon as another engine is there, which may be before anybody has read it.
  Q_EMIT logLine(QString::fromStdString(format_error_line(error)));
  Q_EMIT errorRaised(error);
  Q_EMIT stateChanged();
}

void Workbench::onFailed(const Error& error) {
  forgetAsked();
  if (error.code == ErrorCode::interrupted) {
    offerReplaced();
    if (const QString part = partOfFollowUp(); !part.isEmpty()) return say(part);
    return say(!client_.isPromptRead() && before_ ? tr("Stopped. File / Back to the previous run shows what was there.")
                                                  : tr("Stopped."));
  }
  say(QString());
  Q_EMIT logLine(QString::fromStdString(format_error_line(error)));
  Q_EMIT errorRaised(error);
  Q_EMIT stateChanged();
}

QString Workbench::partOfFollowUp() {
  const std::int64_t begin = std::exchange(followUpAt_, -1);
  const std::int64_t read = begin < 0 ? 0 : client_.record().size() - begin;
  if (read <= 0) return {};
  return read == 1 ? tr("Only the first token of the follow-up was read; it is now part of the text.")
                   : tr("Only the first %1 of the follow-up were read; they are now part of the text.")
                         .arg(tokensInWords(read));
}

void Workbench::forgetAsked() {
  // Of two that were asked for, one after the other, it may be the first one that was refused.
  if (client_.state() == EngineClient::State::analysing) return;
  next_ = Next::nothing;
  forgetPins();
  asked_ = analysed_;
  if (aside_) return;  // what was set by hand is still that one's
  // Others' say only what they were made with.
  if (recording() || client_.isOfAnotherModel()) return setRoleChangesAside();
  takeRoleChanges(analysed_.changes);
}

void Workbench::say(const QString& status) {
  status_ = status;
  Q_EMIT stateChanged();
}

double Workbench::prefillRate() const {
  const double seconds = client_.prefillSeconds();
  return seconds > 0 ? static_cast<double>(client_.prefillTokens()) / seconds : 0;
}

double Workbench::decodeRate() const {
  const auto frames = client_.record().frames();
  double milliseconds = 0;
  qint64 tokens = 0;
  for (auto frame = frames.rbegin(); frame != frames.rend() && frame->generated && tokens < rateTokens;
       ++frame, ++tokens) {
    milliseconds += frame->step_ms;
  }
  return milliseconds > 0 ? 1000.0 * static_cast<double>(tokens) / milliseconds : 0;
}

}  // namespace natscope::ui
