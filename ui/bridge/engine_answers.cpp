// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>

#include "core/base/overloaded.h"
#include "ui/bridge/engine_client_p.h"

/// What the engine says, made into state and signals.
namespace natscope::ui {

void EngineClient::Private::receive(const Envelope& envelope) {
  const bool isPresent = envelope.generation == generation;
  std::visit(Overloaded{
                 [&](const OpenedMessage& message) { receiveOpened(envelope, message); },
                 [&](const ErrorMessage& message) { receiveError(envelope, message); },
                 [&](const IdentityMessage& message) {
                   if (!slot.identified(envelope.id, message.sha256)) return;
                   if (run.origin() && asked.empty()) restoreSequence();
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
                 [&](const ChatPromptMessage& message) {
                   if (envelope.id != chatId) return;
                   chatId = 0;
                   Q_EMIT q->chatPromptArrived(chatTurn, QString::fromStdString(message.prompt),
                                               QString::fromStdString(message.note));
                 },
                 [&](const ByeMessage&) {},
                 [&](const auto&) {
                   link.distrust(
                       QStringLiteral("it asked the window for “%1”").arg(QLatin1String(type_name(envelope.message))));
                 },
             },
             envelope.message);
}

void EngineClient::Private::receiveOpened(const Envelope& envelope, const OpenedMessage& opened) {
  answered(envelope.id);
  deathsWhileOpening = 0;
  const ModelSlot::Opened what = slot.whatOpened(envelope.id);
  // What is shown is from now on of another model.
  if (what == ModelSlot::Opened::another && slot.model() && run.record().size() > 0)
    run.isOf(run.originOr(slot.model(), slot.openedBy()));
  slot.opened(envelope.id, opened.model);
  if (what == ModelSlot::Opened::outOfDate) {
    // The later one may be refused, and then what is shown needs its model again.
    isInEngine = false;
    return;
  }
  becomeGeneration(std::max(generation, envelope.generation), false);
  updateState();
  const bool isAgain = what == ModelSlot::Opened::again;
  // Unless something new waits for the model already, it goes on with what is shown.
  if (isAgain && asked.empty()) restoreSequence();
  Q_EMIT q->modelOpened(*slot.model());
}

void EngineClient::Private::receiveStarted(const Envelope& envelope, const StartedMessage& started) {
  for (Asked& running : asked) {
    if (running.id == envelope.id) running.mayReplace = false;
  }
  if (restoring && envelope.generation == restoring->generation) {
    restoring->record = SequenceRecord(started.geometry, started.has_scores, started.window);
    return;
  }
  const auto request = askedAnalyses.find(envelope.generation);
  if (request == askedAnalyses.end()) {
    // One that was asked for before what is shown is nobody's any more.
    if (envelope.generation > generation) link.distrust(QStringLiteral("a sequence began that nobody asked for"));
    return;
  }
  Q_EMIT q->sequenceEnding();
  run.begin(std::move(request->second), started);
  becomeGeneration(envelope.generation, true);
  recordTimer.stop();
  Q_EMIT q->sequenceStarted();
  sendTileWishes();
  sendWeightsWish();
}

void EngineClient::Private::receiveFrames(const Envelope& envelope, FramesMessage message) {
  const bool isOfRestoring = restoring && envelope.generation == restoring->generation;
  const bool isOfRun = envelope.generation == generation;
  if (!isOfRestoring && envelope.generation < generation) return;
  if (!isOfRestoring && !(isOfRun && isInEngine))
    return link.distrust(QStringLiteral("frames came before their sequence began"));
  run.nameTokens(message.texts);
  if (isOfRestoring) {
    for (TokenFrame& frame : message.frames) run.keepHistory(frame);
  }
  const auto appended =
      isOfRestoring ? restoring->record.append(message.frames) : run.append(std::move(message.frames));
  if (!appended) return link.distrust(QString::fromUtf8(appended.error().message.c_str()));
  if (!isOfRestoring && !recordTimer.isActive()) recordTimer.start();
}

void EngineClient::Private::receiveReady(const Envelope& envelope, const ReadyMessage& ready) {
  const bool isRestored = restoring && envelope.generation == restoring->generation;
  const bool isPresent = envelope.generation == generation;
  const bool isFollowUp =
      std::any_of(asked.begin(), asked.end(), [&](const Asked& a) { return a.id == envelope.id && a.isFollowUp; });
  if (isRestored) finishRestoring();
  answered(envelope.id);
  if (isRestored) {
    sendTileWishes();
    sendWeightsWish();
    Q_EMIT q->sequenceRestored();
    return;
  }
  if (!isPresent) return;
  run.endReading(ready);
  flushRecordChange();
  sendTileWishes();
  if (isFollowUp) {
    // What takes the text's place was asked for without it.
    if (!isBeingReplaced()) Q_EMIT q->followUpRead(QString::fromStdString(ready.note));
    return;
  }
  Q_EMIT q->analysed();
}

/// Of a tile, weights or a chat's prompt. One that ended because something was to replace the sequence is asked for
/// again: it may stand.
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
  if (envelope.id != 0 && envelope.id == chatId) {
    chatId = 0;
    // Behind a new text, not behind a new model, which may have another template.
    if (isInterrupted) q->requestChatPrompt(chatTurn);
    if (!isInterrupted) Q_EMIT q->chatPromptFailed(error);
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
  switch (slot.refused(id, stands)) {
    case ModelSlot::Refused::outOfDate:
      return;
    case ModelSlot::Refused::nothingIsLeft:
      forgetModel();
      break;
    case ModelSlot::Refused::mustOpenAgain:
      isInEngine = false;
      askToOpen(slot.openAgain(), asked.end());
      break;
    case ModelSlot::Refused::stays:
      break;
  }
  updateState();
  Q_EMIT q->modelRefused();
}

void EngineClient::Private::receiveError(const Envelope& envelope, const ErrorMessage& message) {
  const Error& error = message.error;
  if (receiveQuestionError(envelope, error)) return;
  const auto found = std::find_if(asked.begin(), asked.end(), [&](const Asked& a) { return a.id == envelope.id; });
  const Asked was = found != asked.end() ? *found : Asked{};
  answered(envelope.id);
  if (restoring && envelope.generation == restoring->generation) {
    // What is shown stays; asking for something new is as good as before.
    const bool isReplaced = newestGeneration > restoring->generation;
    restoring.reset();
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
  if (was.isQuiet || isSuperseded) return;
  if (was.isFollowUp && error.code != ErrorCode::interrupted) return Q_EMIT q->followUpFailed(error);
  Q_EMIT q->failed(error);
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

}  // namespace natscope::ui
