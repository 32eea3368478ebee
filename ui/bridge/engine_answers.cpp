// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "ui/bridge/engine_client_p.h"

/// What the engine says, made into state and signals.
namespace natscope::ui {
namespace {

/// Calls the lambda that fits the message; messages that only an engine receives fit none.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

void EngineClient::Private::receive(const Envelope& envelope) {
  if (const auto* hello = std::get_if<HelloMessage>(&envelope.message)) return receiveHello(*hello);
  const bool isPresent = envelope.generation == generation;
  std::visit(
      Overloaded{
          [&](const OpenedMessage& message) { receiveOpened(envelope, message); },
          [&](const ErrorMessage& message) { receiveError(envelope, message); },
          [&](const IdentityMessage& message) {
            // It may come long after, when another model is open.
            if (!model || envelope.id != openId) return;
            model->sha256 = message.sha256;
            if (shownFrom && asked.empty()) restoreSequence();
            Q_EMIT q->modelIdentified(QString::fromLatin1(message.sha256.c_str()));
          },
          [&](const ProgressMessage& message) {
            if (envelope.generation < generation) return;
            Q_EMIT q->progress(message.phase, message.done, message.total, message.seconds);
          },
          [&](const StartedMessage& message) { receiveStarted(envelope, message); },
          [&](const FramesMessage& message) { receiveFrames(envelope, message); },
          [&](const ReadyMessage& message) { receiveReady(envelope, message); },
          [&](const FinishedMessage& message) {
            answered(envelope.id);
            flushRecordChange();
            sendTileWishes();  // those that can wait have waited for this
            // The end of what is being replaced is nobody's business.
            if (isPresent && !isBeingReplaced()) Q_EMIT q->finished(message);
          },
          [&](const TileMessage& message) {
            const bool isOurs = tiles.answered(envelope.id);
            sendTileWishes();
            if (isOurs && isPresent) Q_EMIT q->tileArrived(message.tile);
          },
          [&](const WeightsMessage& message) {
            if (envelope.id == weightsId) weightsId = 0;
            sendWeightsWish();
            if (isPresent) Q_EMIT q->weightsArrived(message);
          },
          [&](const ByeMessage&) {},
          [&](const auto&) {
            distrust(QStringLiteral("it asked the window for “%1”").arg(QLatin1String(type_name(envelope.message))));
          },
      },
      envelope.message);
}

void EngineClient::Private::receiveHello(const HelloMessage& hello) {
  if (hasHello) return;
  if (hello.protocol != protocol_version) {
    isWanted = false;  // another one from the same program would say the same
    return distrust(
        QStringLiteral("it speaks protocol %1, this window speaks %2").arg(hello.protocol).arg(protocol_version));
  }
  hasHello = true;
  becomeState(State::idle);
  std::vector<Envelope> waiting = std::exchange(beforeHello, {});
  if (openRequest) {
    // The model comes before everything that waits for it; `asked` is in the order of the answers.
    isReopening = model.has_value() && !wantsAnother;
    openId = nextId;
    asked.insert(asked.begin(), {nextId, State::opening, true, false});
    ask(*openRequest, isReopening ? generation : openGeneration);  // older than what waits for it
  }
  for (const Envelope& envelope : waiting) {
    if (const auto sent = process->send(envelope); !sent) receiveError(envelope, {sent.error(), false});
  }
  updateState();
  Q_EMIT q->engineStarted(QString::fromUtf8(hello.program.c_str()));
}

void EngineClient::Private::receiveOpened(const Envelope& envelope, const OpenedMessage& opened) {
  answered(envelope.id);
  deathsWhileOpening = 0;
  isModelInEngine = envelope.id == openId;
  if (!isModelInEngine) {
    // Another one was asked for since; that may be refused, and then what is shown needs its model again.
    isInEngine = false;
    return;
  }
  const bool isAgain = std::exchange(isReopening, false) && model;
  wantsAnother = false;
  // What the old engine knew about the same weights is still true. What is shown is from now on of another model.
  const std::string sha256 = isAgain ? model->sha256 : std::string();
  if (!isAgain && !shownFrom && record.size() > 0 && model) shownFrom = origin();
  model = opened.model;
  if (!isAgain) modelOpenedBy = envelope.id;
  openedAs = openRequest;
  if (model->sha256.empty()) model->sha256 = sha256;
  becomeGeneration(std::max(generation, envelope.generation), false);
  updateState();
  // Unless something new waits for the model already, it goes on with what is shown.
  if (isAgain && asked.empty()) restoreSequence();
  if (isAgain) Q_EMIT q->modelReopened(*model);
  Q_EMIT q->modelOpened(*model);
}

void EngineClient::Private::receiveStarted(const Envelope& envelope, const StartedMessage& started) {
  for (Asked& running : asked) {
    if (running.id == envelope.id) running.mayReplace = false;
  }
  if (isRestoring && envelope.generation == restoringGeneration) {
    restored = SequenceRecord(started.geometry, started.has_scores, started.window);
    return;
  }
  const auto request = askedAnalyses.find(envelope.generation);
  if (request == askedAnalyses.end()) {
    // One that was asked for before what is shown is nobody's any more.
    if (envelope.generation > generation) distrust(QStringLiteral("a sequence began that nobody asked for"));
    return;
  }
  Q_EMIT q->sequenceEnding();
  lastAnalyse = std::move(request->second.request);
  readAgainFrom = std::move(request->second.beginning);
  givenTokens = 0;
  digest.reset();
  lastAnalyse.fit = false;
  if (auto* const text = std::get_if<std::string>(&lastAnalyse.prompt); text != nullptr && started.prompt_bytes)
    text->resize(std::min(text->size(), static_cast<std::size_t>(*started.prompt_bytes)));
  setByHand = set_by_hand(lastAnalyse.plan);
  becomeGeneration(envelope.generation, true);
  recordTimer.stop();
  record = SequenceRecord(started.geometry, started.has_scores, started.window);
  tokenTexts.clear();  // the engine names the tokens of each sequence anew
  promptTokens = started.prompt_tokens;
  policy = started.policy;
  prefillSeconds = 0;
  isRecorded = false;
  shownFrom.reset();
  Q_EMIT q->sequenceStarted();
  sendTileWishes();
  sendWeightsWish();
}

void EngineClient::Private::receiveFrames(const Envelope& envelope, const FramesMessage& frames) {
  const bool isOfRestoring = isRestoring && envelope.generation == restoringGeneration;
  const bool isOfRecord = envelope.generation == generation;
  if (!isOfRestoring && envelope.generation < generation) return;
  if (!isOfRestoring && !(isOfRecord && isInEngine))
    return distrust(QStringLiteral("frames came before their sequence began"));
  SequenceRecord& growing = isOfRestoring ? restored : record;
  for (const auto& [token, text] : frames.texts) tokenTexts.insert_or_assign(token, text);
  for (TokenFrame frame : frames.frames) {
    if (isOfRestoring) keepHistory(frame);
    if (const auto appended = growing.append(std::move(frame)); !appended) {
      return distrust(QString::fromUtf8(appended.error().message.c_str()));
    }
  }
  if (!isOfRestoring && !recordTimer.isActive()) recordTimer.start();
}

void EngineClient::Private::receiveReady(const Envelope& envelope, const ReadyMessage& ready) {
  const bool isRestored = isRestoring && envelope.generation == restoringGeneration;
  const bool isPresent = envelope.generation == generation;
  if (isRestored) finishRestoring();
  answered(envelope.id);
  if (isRestored) {
    sendTileWishes();
    sendWeightsWish();
    Q_EMIT q->sequenceRestored();
    return;
  }
  if (!isPresent) return;
  prefillSeconds = ready.prefill_s;
  if (const auto again = std::exchange(readAgainFrom, std::nullopt)) {
    lastAnalyse.prompt = again->prompt;
    promptTokens = std::min(again->tokens, record.size());
    givenTokens = record.size();
    digest.reset();
  }
  flushRecordChange();
  sendTileWishes();
  Q_EMIT q->analysed();
}

/// Of a tile or weights. One that ended because something was to replace the sequence is asked for again: it may stand.
bool EngineClient::Private::receiveQuestionError(const Envelope& envelope, const Error& error) {
  const bool isPresent = envelope.generation == generation;
  const bool isInterrupted = error.code == ErrorCode::interrupted;
  if (isInterrupted && isPresent && isInEngine && tiles.again(envelope.id)) {
    sendTileWishes();
    return true;
  }
  if (tiles.answered(envelope.id)) {
    // What failed once would fail for every head.
    if (!isInterrupted) tiles.dropLater();
    sendTileWishes();
    // A tile of a sequence that was just replaced is nobody's loss.
    if (!isInterrupted && isPresent) Q_EMIT q->failed(error);
    return true;
  }
  if (envelope.id == 0 || envelope.id != weightsId) return false;
  weightsId = 0;
  if (isInterrupted && isPresent && isInEngine && !weightsWish) weightsWish = weightsAsked;
  const WeightsRequestMessage request = weightsAsked;
  sendWeightsWish();
  if (!isInterrupted && isPresent) {
    Q_EMIT q->weightsFailed(request, error);
    Q_EMIT q->failed(error);
  }
  return true;
}

void EngineClient::Private::receiveOpenError(std::uint64_t id, bool stands) {
  // What waited for the model fails with it, and one message is enough.
  for (Asked& other : asked) other.isQuiet = other.isQuiet || other.kind != State::opening;
  if (id != openId) return;
  wantsAnother = false;
  if (isReopening || !openedAs) {
    // There is nothing to go back to.
    isReopening = false;
    forgetModel();
  } else {
    openRequest = openedAs;
    if (!stands || !isModelInEngine) openAgain();
  }
  updateState();
  Q_EMIT q->modelRefused();
}

void EngineClient::Private::openAgain() {
  isInEngine = false;
  isReopening = true;
  openId = nextId;
  asked.push_back({nextId, State::opening, true, false});
  ask(*openRequest, generation);
  updateState();
}

void EngineClient::Private::receiveError(const Envelope& envelope, const ErrorMessage& message) {
  const Error& error = message.error;
  if (receiveQuestionError(envelope, error)) return;
  const auto found = std::find_if(asked.begin(), asked.end(), [&](const Asked& a) { return a.id == envelope.id; });
  const Asked was = found != asked.end() ? *found : Asked{};
  answered(envelope.id);
  if (isRestoring && envelope.generation == restoringGeneration) {
    // What is shown stays; asking for something new is as good as before.
    isRestoring = false;
    const bool isReplaced = newestGeneration > restoringGeneration;
    if (!isReplaced) Q_EMIT q->notRestored(QString::fromUtf8(error.message.c_str()));
    return;
  }
  flushRecordChange();
  const bool isSuperseded =
      error.code == ErrorCode::interrupted && (isBeingReplaced() || envelope.generation < generation);
  if (was.kind == State::opening) receiveOpenError(envelope.id, message.stands);
  if (was.kind == State::analysing && was.mayReplace) {
    askedAnalyses.erase(envelope.generation);
    // What was to go on with the text that was refused fails with it.
    for (Asked& other : asked) other.isQuiet = other.isQuiet || other.kind == State::generating;
    // It may have come while the engine was being given what is shown.
    if (!isInEngine && asked.empty()) restoreSequence();
  }
  sendTileWishes();
  sendWeightsWish();
  if (!was.isQuiet && !isSuperseded) Q_EMIT q->failed(error);
}

void EngineClient::Private::answered(std::uint64_t id) {
  std::erase_if(asked, [id](const Asked& a) { return a.id == id; });
  updateState();
}

void EngineClient::Private::flushRecordChange() {
  if (!recordTimer.isActive()) return;
  recordTimer.stop();
  Q_EMIT q->recordChanged();
}

void EngineClient::Private::distrust(const QString& what) {
  if (process == nullptr) return;
  EngineProcess* const old = process;
  old->kill();
  processEnded(QStringLiteral("the engine contradicted itself: %1").arg(what), true);
}

}  // namespace natscope::ui
