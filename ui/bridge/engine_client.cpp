// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/engine_client.h"

#include <algorithm>

#include "ui/bridge/engine_client_p.h"

namespace natscope::ui {
namespace {

/// A record that grows is announced this often at most: once a drawn frame.
constexpr int recordPauseMs = 16;

/// A model that killed so many engines is not opened again.
constexpr int maxDeathsWhileOpening = 3;

}  // namespace

EngineClient::Private::Private(EngineClient* client) : q(client) {
  recordTimer.setSingleShot(true);
  recordTimer.setInterval(recordPauseMs);
  QObject::connect(&recordTimer, &QTimer::timeout, q, &EngineClient::recordChanged);
  QObject::connect(&link, &EngineLink::starting, q, [this] { becomeState(State::starting); });
  QObject::connect(&link, &EngineLink::greeted, q, [this] { engineIsThere(); });
  QObject::connect(&link, &EngineLink::ready, q, &EngineClient::engineStarted);
  QObject::connect(&link, &EngineLink::arrived, q, [this](const Envelope& envelope) { receive(envelope); });
  QObject::connect(&link, &EngineLink::notSent, q, [this](const Envelope& envelope, const Error& error) {
    receiveError(envelope, {error, true});
  });
  QObject::connect(&link, &EngineLink::lost, q, [this](const QString& reason) { engineIsLost(reason); });
  QObject::connect(&link, &EngineLink::logLine, q, &EngineClient::logLine);
}

void EngineClient::Private::engineIsThere() {
  becomeState(State::idle);
  // The model comes before everything that waits for it; `asked` is in the order of the answers.
  if (const auto& opening = slot.openingInANewEngine()) askToOpen(*opening, asked.begin());
  updateState();
}

void EngineClient::Private::engineIsLost(const QString& reason) {
  const bool wasOpening =
      std::any_of(asked.begin(), asked.end(), [](const Asked& a) { return a.kind == State::opening; });
  deathsWhileOpening = wasOpening ? deathsWhileOpening + 1 : 0;
  forgetEngine();
  flushRecordChange();
  QString text = reason;
  const bool isRefused = deathsWhileOpening >= maxDeathsWhileOpening;
  if (isRefused) {
    // The previous model is opened again, unless it is the one that does it.
    if (!slot.giveUp()) forgetModel();
    text += QStringLiteral("; opening this model has ended %1 engines in a row, it is not tried again")
                .arg(deathsWhileOpening);
    deathsWhileOpening = 0;
  }
  becomeState(State::lost);
  if (isRefused) Q_EMIT q->modelRefused();
  Q_EMIT q->engineLost(text);
}

void EngineClient::Private::forgetEngine() {
  asked.clear();
  askedAnalyses.clear();
  tiles.clear();
  weightsId = 0;
  weightsWish.reset();
  chatId = 0;
  isInEngine = false;
  slot.engineIsGone();
  restoring.reset();
}

void EngineClient::Private::becomeState(State next) {
  if (state == next) return;
  state = next;
  Q_EMIT q->stateChanged(next);
}

void EngineClient::Private::updateState() {
  if (!link.isReady()) return;
  if (!asked.empty()) return becomeState(asked.front().kind);
  becomeState(slot.model() ? State::ready : State::idle);
}

void EngineClient::Private::askRunning(Message message, State kind, bool isFollowUp) {
  // The id is known before anything is sent: an answer may not come before the question is noted.
  const bool mayReplace = kind == State::analysing;
  const std::uint64_t ofGeneration = mayReplace ? newestGeneration : generationToGoOn();
  asked.push_back({link.nextId(), kind, mayReplace, false, isFollowUp});
  link.ask(std::move(message), ofGeneration);
  updateState();
}

void EngineClient::Private::askToAnalyse(AskedAnalysis analysis) {
  stopRunning(false);
  AnalyseMessage request = analysis.request;
  askedAnalyses.insert_or_assign(++newestGeneration, std::move(analysis));
  askRunning(std::move(request), State::analysing);
}

void EngineClient::Private::askToOpen(const ModelSlot::Opening& opening, std::vector<Asked>::iterator before) {
  asked.insert(before, {link.nextId(), State::opening, true, false});
  slot.wasSent(link.nextId());
  // One that opens what is shown is older than what waits for it.
  link.ask(opening.request, opening.isAgain ? generation : opening.generation);
  updateState();
}

void EngineClient::Private::stopRunning(bool alsoOpening) {
  for (const Asked& running : std::vector<Asked>(asked)) {
    if (alsoOpening || running.kind != State::opening) link.ask(StopMessage{running.id}, newestGeneration);
  }
}

bool EngineClient::Private::isBeingReplaced() const {
  return std::any_of(asked.begin(), asked.end(), [](const Asked& a) { return a.mayReplace; });
}

std::uint64_t EngineClient::Private::generationToGoOn() const {
  return restoring || isBeingReplaced() ? newestGeneration : generation;
}

void EngineClient::Private::sendTileWishes() {
  if (!link.isReady() || !isInEngine || isBeingReplaced()) return;
  for (const std::uint64_t passed : tiles.overtaken()) link.ask(StopMessage{passed}, generation);
  while (link.isReady() && isInEngine && !isBeingReplaced()) {
    const std::uint64_t id = link.nextId();
    const auto key = tiles.take(id, asked.empty());
    if (!key) return;
    TileRequestMessage request{*key};
    if (tiles.canWait(id)) {
      const auto schedule = comparedLater.schedule(*key);
      request.compared_run = comparedLater.id;
      request.other_last_query.assign(schedule.begin(), schedule.end());
    }
    link.ask(std::move(request), generation);
  }
}

void EngineClient::Private::sendWeightsWish() {
  if (!link.isReady() || !isInEngine || isBeingReplaced() || weightsId != 0 || !weightsWish) return;
  weightsAsked = *std::exchange(weightsWish, std::nullopt);
  weightsId = link.ask(weightsAsked, generation);
}

EngineClient::EngineClient(QObject* parent) : QObject(parent), d_(std::make_unique<Private>(this)) {}

EngineClient::~EngineClient() { d_->link.disconnect(this); }

void EngineClient::setCommandLine(const QStringList& commandLine) { d_->link.setCommandLine(commandLine); }

QStringList EngineClient::commandLine() const { return d_->link.commandLine(); }
EngineClient::State EngineClient::state() const { return d_->state; }
bool EngineClient::isComingBack() const { return d_->link.isComingBack(); }
qint64 EngineClient::processId() const { return d_->link.processId(); }
bool EngineClient::knowsSequence() const { return d_->isInEngine; }
bool EngineClient::isRestoring() const { return d_->restoring.has_value(); }
const std::optional<ModelDescription>& EngineClient::model() const { return d_->slot.model(); }
void EngineClient::setMostRolesGiven(std::int64_t roles) { d_->mostRolesGiven = roles; }

const SequenceRecord& EngineClient::record() const { return d_->run.record(); }
bool EngineClient::isRecording() const { return d_->run.isRecorded(); }
bool EngineClient::isOfOpenModel() const { return model() && !d_->run.origin(); }
std::int64_t EngineClient::promptTokens() const { return d_->run.promptTokens(); }
bool EngineClient::isPromptRead() const { return d_->run.isPromptRead(); }
bool EngineClient::hasWritten() const { return d_->run.hasWritten(); }
const std::vector<TokenSpan>& EngineClient::followUps() const { return d_->run.followUps(); }
std::string EngineClient::promptText() const { return d_->run.promptText(); }
const std::string& EngineClient::policy() const { return d_->run.policy(); }
double EngineClient::prefillSeconds() const { return d_->run.prefillSeconds(); }
std::int64_t EngineClient::prefillTokens() const { return d_->run.prefillTokens(); }
const SetByHand& EngineClient::setByHand() const { return d_->run.setByHand(); }
Provenance EngineClient::provenance() const { return d_->run.provenance(model()); }
std::int64_t EngineClient::promptsHashed() const { return d_->run.promptsHashed(); }
std::optional<std::int32_t> EngineClient::queryHeads() const { return d_->run.queryHeads(model()); }
std::optional<double> EngineClient::globalBias() const { return d_->run.globalBias(model()); }
std::string EngineClient::shownModel() const { return d_->run.modelPath(model()); }
std::string EngineClient::shownAdapter() const { return d_->run.adapterPath(model()); }
Session EngineClient::session() const { return d_->run.session(model()); }

QString EngineClient::tokenText(std::int32_t token) const {
  const std::string* const text = d_->run.tokenText(token);
  if (text == nullptr) return QStringLiteral("<id %1>").arg(token);
  return QString::fromUtf8(text->data(), static_cast<qsizetype>(text->size()));
}

void EngineClient::start() { d_->link.start(); }

void EngineClient::shutdown() {
  if (d_->link.hasProcess()) d_->forgetEngine();
  d_->link.shutdown();
  d_->becomeState(State::stopped);
}

void EngineClient::restart() {
  if (d_->link.hasProcess()) d_->forgetEngine();
  d_->link.restart();
}

void EngineClient::openModel(const OpenMessage& request) {
  d_->stopRunning(true);
  d_->deathsWhileOpening = 0;
  const ModelSlot::Opening& opening = d_->slot.want(request, ++d_->newestGeneration);
  // Dead engines of another model say nothing about this one.
  d_->link.hurry();
  // Without an engine that has said hello it is opened when one does: engineIsThere.
  if (d_->link.isReady()) d_->askToOpen(opening, d_->asked.end());
  // Nobody would come to open it.
  if (d_->state == State::lost && !d_->link.isComingBack()) start();
}

void EngineClient::analyse(const AnalyseMessage& request) { d_->askToAnalyse({request, {}}); }

void EngineClient::generate(const GenerateMessage& request) {
  d_->run.goOnWith(request);
  d_->askRunning(request, State::generating);
}

void EngineClient::step(const StepMessage& request) {
  d_->run.goOnWith(request.sampling);
  d_->askRunning(request, State::generating);
}

void EngineClient::followUp(const FollowUpMessage& request) { d_->askRunning(request, State::generating, true); }

void EngineClient::stop() { d_->stopRunning(true); }

void EngineClient::requestTile(const TileKey& key) {
  if (!d_->isInEngine) return;
  d_->tiles.wish(key);
  d_->sendTileWishes();
}

void EngineClient::requestTilesLater(const std::vector<TileKey>& keys, const OtherRun& other) {
  if (!d_->isInEngine) return;
  d_->comparedLater = other;
  d_->tiles.wishLater(keys);
  d_->sendTileWishes();
}

void EngineClient::dropPendingTiles() { d_->tiles.dropWaiting(); }

void EngineClient::requestWeights(const WeightsRequestMessage& request) {
  if (!d_->isInEngine) return;
  d_->weightsWish = request;
  d_->sendWeightsWish();
}

bool EngineClient::canMakeChatPrompt() const {
  const bool isOpen = d_->state == State::ready || d_->state == State::analysing || d_->state == State::generating;
  return isOpen && d_->chatId == 0 && model() && model()->chats;
}

void EngineClient::requestChatPrompt(const QString& user) {
  if (!canMakeChatPrompt()) return;
  d_->chatTurn = user;
  d_->chatId = d_->link.ask(ChatTurnMessage{user.toStdString()}, d_->generation);
}

}  // namespace natscope::ui
