// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/engine_client.h"

#include <QCoreApplication>
#include <algorithm>

#include "ui/bridge/engine_client_p.h"

namespace natscope::ui {
namespace {

/// A record that grows is announced this often at most: once a drawn frame.
constexpr int recordPauseMs = 16;

/// The first new engine comes at once; while engines keep dying the pauses double up to the longest.
constexpr int firstPauseMs = 250;
constexpr int longestPauseMs = 30'000;
/// One that lived this long did not die of how it was started.
constexpr qint64 longLifeMs = 20'000;
/// A model that killed so many engines is not opened again.
constexpr int maxDeathsWhileOpening = 3;

QStringList defaultCommandLine() {
  return {QCoreApplication::applicationDirPath() + QStringLiteral("/natscope-engine")};
}

}  // namespace

EngineClient::Private::Private(EngineClient* client) : q(client), commandLine(defaultCommandLine()) {
  recordTimer.setSingleShot(true);
  recordTimer.setInterval(recordPauseMs);
  QObject::connect(&recordTimer, &QTimer::timeout, q, &EngineClient::recordChanged);
  restartTimer.setSingleShot(true);
  QObject::connect(&restartTimer, &QTimer::timeout, q, [this] {
    if (isWanted && process == nullptr) startProcess();
  });
}

void EngineClient::Private::startProcess() {
  restartTimer.stop();
  hasHello = false;
  process = new EngineProcess(q);
  QObject::connect(process, &EngineProcess::started, q, [this] { age.start(); });
  QObject::connect(process, &EngineProcess::arrived, q, [this](const Envelope& envelope) { receive(envelope); });
  QObject::connect(process, &EngineProcess::ended, q,
                   [this](const QString& reason, bool couldStart) { processEnded(reason, couldStart); });
  QObject::connect(process, &EngineProcess::logLine, q, &EngineClient::logLine);
  age.start();
  becomeState(State::starting);
  // It may fail at once, and its end be reported before start() returns.
  EngineProcess* const started = process;
  started->start(commandLine);
  if (process != started) return;
  (void)started->send({0, 0, HelloMessage{protocol_version, "natscope " NATSCOPE_VERSION}});
}

void EngineClient::Private::forgetEngine() {
  hasHello = false;
  asked.clear();
  askedAnalyses.clear();
  beforeHello.clear();
  tiles.clear();
  weightsId = 0;
  weightsWish.reset();
  isInEngine = false;
  isModelInEngine = false;
  isRestoring = false;
}

void EngineClient::Private::forgetModel() {
  if (model && record.size() > 0) shownFrom = origin();
  openRequest.reset();
  openedAs.reset();
  model.reset();
}

void EngineClient::Private::retire() {
  if (process == nullptr) return;
  EngineProcess* const old = std::exchange(process, nullptr);
  old->disconnect(q);
  // It removes itself when it has ended; its destructor kills it when the client goes first.
  QObject::connect(old, &EngineProcess::ended, old, &QObject::deleteLater);
  old->sayBye();
  forgetEngine();
}

void EngineClient::Private::processEnded(const QString& reason, bool couldStart) {
  const bool wasOpening =
      std::any_of(asked.begin(), asked.end(), [](const Asked& a) { return a.kind == State::opening; });
  deathsWhileOpening = wasOpening ? deathsWhileOpening + 1 : 0;
  deaths = age.elapsed() > longLifeMs ? 1 : deaths + 1;
  EngineProcess* const old = std::exchange(process, nullptr);
  old->disconnect(q);
  old->deleteLater();
  forgetEngine();
  flushRecordChange();
  QString text = reason;
  bool isRefused = false;
  if (deathsWhileOpening >= maxDeathsWhileOpening && openRequest) {
    // The model of before is opened again, unless it is the one that does it.
    isRefused = true;
    openRequest = isReopening ? std::nullopt : openedAs;
    wantsAnother = false;
    if (!openRequest) forgetModel();
    text += QStringLiteral("; opening this model has ended %1 engines in a row, it is not tried again")
                .arg(deathsWhileOpening);
    deathsWhileOpening = 0;
  }
  becomeState(State::lost);
  if (isWanted && couldStart) {
    const int pause = deaths <= 1 ? 0 : std::min(longestPauseMs, firstPauseMs << std::min(deaths - 2, 10));
    restartTimer.start(pause);
  }
  if (isRefused) Q_EMIT q->modelRefused();
  Q_EMIT q->engineLost(text);
}

void EngineClient::Private::becomeState(State next) {
  if (state == next) return;
  state = next;
  Q_EMIT q->stateChanged(next);
}

void EngineClient::Private::updateState() {
  if (process == nullptr || !hasHello) return;
  if (!asked.empty()) return becomeState(asked.front().kind);
  becomeState(model ? State::ready : State::idle);
}

std::uint64_t EngineClient::Private::ask(Message message, std::uint64_t ofGeneration) {
  Envelope envelope{nextId++, ofGeneration, std::move(message)};
  const std::uint64_t id = envelope.id;
  if (process == nullptr || !hasHello) {
    beforeHello.push_back(std::move(envelope));
    return id;
  }
  const auto sent = process->send(envelope);
  if (!sent)
    QTimer::singleShot(0, q, [this, id, ofGeneration, error = sent.error()] {
      receiveError({id, ofGeneration, StopMessage{}}, {error, true});
    });
  return id;
}

void EngineClient::Private::askRunning(Message message, State kind) {
  // The id is known before anything is sent: an answer may not come before the question is noted.
  const bool mayReplace = kind == State::opening || kind == State::analysing;
  const std::uint64_t ofGeneration = mayReplace ? newestGeneration : generationToGoOn();
  asked.push_back({nextId, kind, mayReplace, false});
  ask(std::move(message), ofGeneration);
  updateState();
}

void EngineClient::Private::stopRunning(bool alsoOpening) {
  for (const Asked& running : std::vector<Asked>(asked)) {
    if (alsoOpening || running.kind != State::opening) ask(StopMessage{running.id}, newestGeneration);
  }
}

bool EngineClient::Private::isBeingReplaced() const {
  return std::any_of(asked.begin(), asked.end(), [](const Asked& a) { return a.mayReplace; });
}

std::uint64_t EngineClient::Private::generationToGoOn() const {
  return isRestoring || isBeingReplaced() ? newestGeneration : generation;
}

void EngineClient::Private::becomeGeneration(std::uint64_t next, bool isNowInEngine) {
  generation = next;
  std::erase_if(askedAnalyses, [next](const auto& entry) { return entry.first <= next; });
  tiles.clear();
  weightsWish.reset();
  weightsId = 0;
  isInEngine = isNowInEngine;
  isRestoring = false;
}

void EngineClient::Private::sendTileWishes() {
  while (process != nullptr && hasHello && isInEngine && !isBeingReplaced()) {
    const auto key = tiles.take(nextId, asked.empty());
    if (!key) return;
    ask(TileRequestMessage{*key}, generation);
  }
}

void EngineClient::Private::sendWeightsWish() {
  if (process == nullptr || !hasHello || !isInEngine || isBeingReplaced() || weightsId != 0 || !weightsWish) return;
  weightsAsked = *std::exchange(weightsWish, std::nullopt);
  weightsId = ask(weightsAsked, generation);
}

EngineClient::EngineClient(QObject* parent) : QObject(parent), d_(std::make_unique<Private>(this)) {}

EngineClient::~EngineClient() {
  if (d_->process != nullptr) {
    d_->process->disconnect(this);
    d_->process->sayBye();
  }
}

void EngineClient::setCommandLine(const QStringList& commandLine) {
  d_->commandLine = commandLine.isEmpty() ? defaultCommandLine() : commandLine;
}

QStringList EngineClient::commandLine() const { return d_->commandLine; }
EngineClient::State EngineClient::state() const { return d_->state; }
qint64 EngineClient::processId() const { return d_->process != nullptr ? d_->process->processId() : 0; }
const SequenceRecord& EngineClient::record() const { return d_->record; }
const std::optional<ModelDescription>& EngineClient::model() const { return d_->model; }
std::int64_t EngineClient::promptTokens() const { return d_->promptTokens; }
std::string EngineClient::promptText() const {
  const auto* const text = std::get_if<std::string>(&d_->lastAnalyse.prompt);
  return text != nullptr ? *text : std::string();
}
const std::string& EngineClient::policy() const { return d_->policy; }
double EngineClient::prefillSeconds() const { return d_->prefillSeconds; }
std::int64_t EngineClient::prefillTokens() const { return std::max(d_->promptTokens, d_->givenTokens); }
bool EngineClient::knowsSequence() const { return d_->isInEngine; }
bool EngineClient::isRestoring() const { return d_->isRestoring; }
bool EngineClient::isOfOpenModel() const { return d_->model && !d_->shownFrom; }
bool EngineClient::isRecording() const { return d_->isRecorded; }

bool EngineClient::isBusy() const {
  return d_->state == State::opening || d_->state == State::analysing || d_->state == State::generating;
}

bool EngineClient::isComingBack() const { return d_->restartTimer.isActive(); }

void EngineClient::setMostRolesGiven(std::int64_t roles) { d_->mostRolesGiven = roles; }

QString EngineClient::tokenText(std::int32_t token) const {
  const auto found = d_->tokenTexts.find(token);
  if (found == d_->tokenTexts.end()) return QStringLiteral("<id %1>").arg(token);
  return QString::fromUtf8(found->second.data(), static_cast<qsizetype>(found->second.size()));
}

void EngineClient::start() {
  d_->isWanted = true;
  if (d_->process == nullptr) d_->startProcess();
}

void EngineClient::shutdown() {
  d_->isWanted = false;
  d_->restartTimer.stop();
  d_->retire();
  d_->becomeState(State::stopped);
}

void EngineClient::restart() {
  d_->isWanted = true;
  d_->retire();
  d_->deaths = 0;
  d_->startProcess();
}

void EngineClient::openModel(const OpenMessage& request) {
  d_->stopRunning(true);
  d_->openRequest = request;
  d_->deathsWhileOpening = 0;
  // Dead engines of another model say nothing about this one.
  if (d_->restartTimer.isActive()) {
    d_->deaths = 0;
    d_->restartTimer.start(0);
  }
  // Without an engine that has said hello it is opened when one does: see receiveHello.
  d_->isReopening = false;
  d_->wantsAnother = true;
  d_->openGeneration = ++d_->newestGeneration;
  if (d_->process != nullptr && d_->hasHello) {
    d_->openId = d_->nextId;
    d_->askRunning(request, State::opening);
  }
  // Nobody would come to open it.
  if (d_->state == State::lost && !d_->restartTimer.isActive()) start();
}

void EngineClient::analyse(const AnalyseMessage& request) {
  d_->stopRunning(false);
  ++d_->newestGeneration;
  d_->askedAnalyses.insert_or_assign(d_->newestGeneration, Private::AskedAnalysis{request, {}});
  d_->askRunning(request, State::analysing);
}

void EngineClient::generate(const GenerateMessage& request) {
  d_->lastGenerate = request;
  d_->askRunning(request, State::generating);
}

void EngineClient::step(const StepMessage& request) {
  d_->lastGenerate.sampling = request.sampling;
  d_->askRunning(request, State::generating);
}

void EngineClient::continueGenerating() { d_->askRunning(d_->lastGenerate, State::generating); }

void EngineClient::stop() { d_->stopRunning(true); }

void EngineClient::requestTile(const TileKey& key) {
  if (!d_->isInEngine) return;
  d_->tiles.wish(key);
  d_->sendTileWishes();
}

void EngineClient::requestTilesLater(const std::vector<TileKey>& keys) {
  if (!d_->isInEngine) return;
  d_->tiles.wishLater(keys);
  d_->sendTileWishes();
}

void EngineClient::dropPendingTiles() { d_->tiles.dropWaiting(); }

void EngineClient::requestWeights(const WeightsRequestMessage& request) {
  if (!d_->isInEngine) return;
  d_->weightsWish = request;
  d_->sendWeightsWish();
}

}  // namespace natscope::ui
