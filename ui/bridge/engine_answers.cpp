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
          [&](const ErrorMessage& message) { receiveError(envelope, message.error); },
          [&](const IdentityMessage& message) {
            // It may come long after, when another model is open.
            if (!model || envelope.id != openId) return;
            model->sha256 = message.sha256;
            if (shownFrom && asked.empty()) restoreSequence();
            Q_EMIT q->modelIdentified(QString::fromLatin1(message.sha256.c_str()));
          },
          [&](const ProgressMessage& message) {
            if (isPresent) Q_EMIT q->progress(message.phase, message.done, message.total, message.seconds);
          },
          [&](const StartedMessage& message) {
            if (isPresent) receiveStarted(message);
          },
          [&](const FramesMessage& message) {
            if (isPresent) receiveFrames(message);
          },
          [&](const ReadyMessage& message) { receiveReady(envelope, message); },
          [&](const FinishedMessage& message) {
            answered(envelope.id);
            if (!isPresent) return;
            flushRecordChange();
            Q_EMIT q->finished(message);
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
    isReopening = model.has_value();
    openId = nextId;
    asked.insert(asked.begin(), {nextId, State::opening, false});
    ask(*openRequest);
  }
  for (const Envelope& envelope : waiting) {
    if (const auto sent = process->send(envelope); !sent) receiveError(envelope, sent.error());
  }
  updateState();
  Q_EMIT q->engineStarted(QString::fromUtf8(hello.program.c_str()));
}

void EngineClient::Private::receiveOpened(const Envelope& envelope, const OpenedMessage& opened) {
  answered(envelope.id);
  deathsWhileOpening = 0;
  if (envelope.id != openId) return;  // another one was asked for since
  const bool isAgain = std::exchange(isReopening, false) && model;
  // What the old engine knew about the same weights is still true.
  const std::string sha256 = isAgain ? model->sha256 : std::string();
  model = opened.model;
  if (model->sha256.empty()) model->sha256 = sha256;
  updateState();
  // Unless something new waits for the model already, it goes on with what is shown.
  if (isAgain && asked.empty()) restoreSequence();
  if (isAgain)
    Q_EMIT q->modelReopened(*model);
  else
    tokenTexts.clear();
  Q_EMIT q->modelOpened(*model);
}

void EngineClient::Private::receiveStarted(const StartedMessage& started) {
  if (isRestoring) {
    restored = SequenceRecord(started.geometry, started.has_scores, started.window);
    return;
  }
  record = SequenceRecord(started.geometry, started.has_scores, started.window);
  promptTokens = started.prompt_tokens;
  policy = started.policy;
  prefillSeconds = 0;
  isRecorded = false;
  isInEngine = true;
  shownFrom.reset();
  Q_EMIT q->sequenceStarted();
  sendTileWishes();
  sendWeightsWish();
}

void EngineClient::Private::receiveFrames(const FramesMessage& frames) {
  if (!isInEngine && !isRestoring) return distrust(QStringLiteral("frames came before their sequence began"));
  SequenceRecord& growing = isRestoring ? restored : record;
  for (const auto& [token, text] : frames.texts) tokenTexts.insert_or_assign(token, text);
  for (const TokenFrame& frame : frames.frames) {
    if (const auto appended = growing.append(frame); !appended) {
      return distrust(QString::fromUtf8(appended.error().message.c_str()));
    }
  }
  if (!isRestoring && !recordTimer.isActive()) recordTimer.start();
}

void EngineClient::Private::receiveReady(const Envelope& envelope, const ReadyMessage& ready) {
  const bool isPresent = envelope.generation == generation;
  const bool isRestored = isPresent && isRestoring;
  if (isRestored) finishRestoring();
  answered(envelope.id);
  if (!isPresent) return;
  if (isRestored) {
    Q_EMIT q->sequenceRestored();
    return;
  }
  prefillSeconds = ready.prefill_s;
  flushRecordChange();
  Q_EMIT q->analysed();
}

void EngineClient::Private::receiveError(const Envelope& envelope, const Error& error) {
  if (tiles.answered(envelope.id)) {
    sendTileWishes();
    // A tile of a sequence that was just replaced is nobody's loss.
    if (error.code != ErrorCode::interrupted && envelope.generation == generation) Q_EMIT q->failed(error);
    return;
  }
  if (envelope.id != 0 && envelope.id == weightsId) {
    weightsId = 0;
    sendWeightsWish();
    if (error.code != ErrorCode::interrupted && envelope.generation == generation) Q_EMIT q->failed(error);
    return;
  }
  const auto found = std::find_if(asked.begin(), asked.end(), [&](const Asked& a) { return a.id == envelope.id; });
  const bool isQuiet = found != asked.end() && found->isQuiet;
  const bool wasOpening = found != asked.end() && found->kind == State::opening;
  answered(envelope.id);
  if (isRestoring && envelope.generation == generation) {
    // What is shown stays; asking for something new is as good as before.
    isRestoring = false;
    Q_EMIT q->logLine(QStringLiteral("the sequence could not be restored: ") +
                      QString::fromUtf8(error.message.c_str()));
    return;
  }
  if (wasOpening) {
    // What waited for the model fails with it, and one message is enough.
    for (Asked& other : asked) other.isQuiet = other.isQuiet || other.kind != State::opening;
    if (envelope.id == openId) {
      openRequest.reset();
      model.reset();
    }
    updateState();
  }
  flushRecordChange();
  const bool isSuperseded = error.code == ErrorCode::interrupted && envelope.generation != generation;
  if (!isQuiet && !isSuperseded) Q_EMIT q->failed(error);
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
