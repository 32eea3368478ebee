// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <map>
#include <optional>
#include <vector>

#include "ui/bridge/engine_client.h"
#include "ui/bridge/engine_link.h"
#include "ui/bridge/mirrored_run.h"
#include "ui/bridge/model_slot.h"
#include "ui/bridge/tile_wishes.h"

namespace natscope::ui {

/// The inside of an EngineClient: what the engine was asked, which of its parts the engine has, and what its answers
/// mean for the model slot and the mirrored run.
class EngineClient::Private {
 public:
  /// A request that runs and has not been answered.
  struct Asked {
    std::uint64_t id = 0;
    State kind = State::idle;
    bool mayReplace = false;  ///< an analyse that has not begun, or an open
    bool isQuiet = false;     ///< its error follows from one that was already shown
    bool isFollowUp = false;
  };
  /// The mirrored sequence on its way to an engine: what that answers gathers here.
  struct Restoring {
    std::uint64_t generation = 0;
    SequenceRecord record;
  };

  explicit Private(EngineClient* client);

  // The engine as a whole: engine_client.cpp
  void engineIsThere();
  void engineIsLost(const QString& reason);
  void forgetEngine();  ///< what it was asked and had
  void becomeState(State next);
  void updateState();  ///< from what was asked and not answered

  // Asking: engine_client.cpp
  void askRunning(Message message, State kind, bool isFollowUp = false);
  void askToAnalyse(AskedAnalysis analysis);
  void askToOpen(const ModelSlot::Opening& opening, std::vector<Asked>::iterator before);
  /// Sends a stop for every request that was not answered; `alsoOpening`: for one that opens the model, too.
  void stopRunning(bool alsoOpening);
  void sendTileWishes();
  void sendWeightsWish();
  /// Whether something is on its way that may replace the sequence: tiles then wait for its fate.
  [[nodiscard]] bool isBeingReplaced() const;
  /// Of the sequence that what is asked now would go on with.
  [[nodiscard]] std::uint64_t generationToGoOn() const;

  // What is mirrored: sequence_restoring.cpp
  /// What is mirrored is now of this generation, and the engine has it or not.
  void becomeGeneration(std::uint64_t next, bool isNowInEngine);
  void forgetModel();  ///< none is open, nor to be opened; what is shown stays
  void show(const Session& session, const RolePlan& plan, std::uint64_t openedBy, bool isRecorded);
  /// Gives the mirrored sequence to an engine that does not have it, roles and all. Does nothing where it does not fit.
  void restoreSequence();
  void finishRestoring();
  /// Whether the open model is the one that made it.
  [[nodiscard]] bool isOpen(const Origin& from) const;

  // Answers: engine_answers.cpp
  void receive(const Envelope& envelope);
  void receiveOpened(const Envelope& envelope, const OpenedMessage& opened);
  void receiveStarted(const Envelope& envelope, const StartedMessage& started);
  void receiveReady(const Envelope& envelope, const ReadyMessage& ready);
  void receiveFrames(const Envelope& envelope, FramesMessage frames);
  void receiveError(const Envelope& envelope, const ErrorMessage& message);
  bool receiveQuestionError(const Envelope& envelope, const Error& error);
  void receiveOpenError(std::uint64_t id, bool stands);
  void answered(std::uint64_t id);
  void flushRecordChange();

  EngineClient* const q;
  EngineLink link;
  State state = State::stopped;
  std::vector<Asked> asked;  // in order
  int deathsWhileOpening = 0;

  ModelSlot slot;
  MirroredRun run;
  QTimer recordTimer;

  std::uint64_t newestGeneration = 0;  // that was asked for
  std::uint64_t generation = 0;        // of what is mirrored: grows when an engine has begun something new
  std::map<std::uint64_t, AskedAnalysis> askedAnalyses;  // that have not begun, by generation
  bool isInEngine = false;                               // the engine knows the sequence that is mirrored
  std::optional<Restoring> restoring;
  std::int64_t mostRolesGiven = std::int64_t{32} << 20U;  // a role costs a byte of a message

  TileWishes tiles;
  OtherRun comparedLater;  // of those that can wait
  std::optional<WeightsRequestMessage> weightsWish;
  std::uint64_t weightsId = 0;  // of the request on its way; 0: none
  WeightsRequestMessage weightsAsked;
  std::uint64_t chatId = 0;  // of the turn on its way; 0: none
  QString chatTurn;
};

}  // namespace natscope::ui
