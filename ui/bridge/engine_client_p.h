// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <unordered_map>
#include <variant>

#include "ui/bridge/engine_client.h"
#include "ui/bridge/engine_process.h"
#include "ui/bridge/tile_wishes.h"

namespace natscope::ui {

/// The inside of an EngineClient: one process at a time, what it was asked, and the mirror of what it answered.
class EngineClient::Private {
 public:
  explicit Private(EngineClient* client);

  // The process: engine_client.cpp
  void startProcess();
  void retire();  ///< lets go of the present process, which ends by itself
  void processEnded(const QString& reason, bool couldStart);
  void becomeState(State next);
  void updateState();  ///< from what was asked and not answered

  // Asking: engine_client.cpp
  /// Sends now, or when hello has come; returns the id.
  std::uint64_t ask(Message message, std::uint64_t ofGeneration);
  void askRunning(Message message, State kind);
  /// Sends a stop for every request that was not answered; `alsoOpening`: for one that opens the model, too.
  void stopRunning(bool alsoOpening);
  void sendTileWishes();
  void sendWeightsWish();
  /// Whether something is on its way that may replace the sequence: tiles then wait for its fate.
  [[nodiscard]] bool isBeingReplaced() const;
  /// Of the sequence that what is asked now would go on with.
  [[nodiscard]] std::uint64_t generationToGoOn() const;
  /// What is mirrored is now of this generation, and the engine has it or not.
  void becomeGeneration(std::uint64_t next, bool isNowInEngine);
  void forgetEngine();  ///< what a process was asked and knew
  void openAgain();     ///< the model of before, which the engine let go of for one that failed
  void forgetModel();   ///< none is open, nor to be opened; what is shown stays
  /// Gives the mirrored sequence to an engine that does not have it, roles and all. Does nothing where it does not fit.
  void restoreSequence();
  void mirror(const Session& session);  ///< shows it in place of what is mirrored

  // Answers: engine_answers.cpp
  void receive(const Envelope& envelope);
  void receiveHello(const HelloMessage& hello);
  void receiveOpened(const Envelope& envelope, const OpenedMessage& opened);
  void receiveStarted(const Envelope& envelope, const StartedMessage& started);
  void receiveReady(const Envelope& envelope, const ReadyMessage& ready);
  void finishRestoring();
  /// What reading it again does not tell of a frame of the mirrored sequence: who wrote it, when, and what was likely.
  void keepHistory(TokenFrame& frame) const;
  void receiveFrames(const Envelope& envelope, const FramesMessage& frames);
  void receiveError(const Envelope& envelope, const ErrorMessage& message);
  bool receiveQuestionError(const Envelope& envelope, const Error& error);
  void receiveOpenError(std::uint64_t id, bool stands);
  void answered(std::uint64_t id);
  void flushRecordChange();
  void distrust(const QString& what);  ///< the engine contradicts itself: another one is needed

  /// Where a sequence comes from that an engine does not have.
  struct Origin {
    Provenance provenance;
    std::string modelPath;
    std::string adapterPath;
    std::uint64_t openedBy = 0;  // the request that opened the model for this window; 0: not known
  };

  [[nodiscard]] Origin origin() const;  ///< of what is mirrored
  // Of it without the provenance, which has a checksum of the prompt: these are asked for while a text grows.
  [[nodiscard]] std::string modelPath() const;
  [[nodiscard]] std::string adapterPath() const;
  [[nodiscard]] std::uint64_t openedBy() const;
  /// The checksum of what the mirrored sequence began with, or was given; made once, when it is first asked for.
  [[nodiscard]] const std::string& promptDigest() const;
  /// Whether the open model is the one that made it.
  [[nodiscard]] bool isOpen(const Origin& from) const;

  /// A request that runs and has not been answered.
  struct Asked {
    std::uint64_t id = 0;
    State kind = State::idle;
    bool mayReplace = false;  ///< an analyse that has not begun, or an open
    bool isQuiet = false;     ///< its error follows from one that was already shown
  };
  /// What a sequence began with.
  struct Beginning {
    std::variant<std::string, std::vector<std::int32_t>> prompt;
    std::int64_t tokens = 0;
  };
  struct AskedAnalysis {
    AnalyseMessage request;
    std::optional<Beginning> beginning;  // of what is only read again
  };

  EngineClient* const q;
  QStringList commandLine;
  EngineProcess* process = nullptr;  // owned by q
  State state = State::stopped;
  bool isWanted = false;  // between start() and shutdown()
  bool hasHello = false;
  std::vector<Envelope> beforeHello;

  int deaths = 0;  // in a row, without a long life between them
  int deathsWhileOpening = 0;
  QElapsedTimer age;  // of the process
  QTimer restartTimer;

  std::uint64_t nextId = 1;
  std::uint64_t newestGeneration = 0;      // that was asked for
  std::uint64_t generation = 0;            // of what is mirrored: grows when an engine has begun something new
  std::vector<Asked> asked;                // in order
  std::optional<OpenMessage> openRequest;  // the model that is wanted
  std::optional<OpenMessage> openedAs;     // the model that is, or was, open: `model`
  std::uint64_t openId = 0;                // of the last request that opens a model
  std::uint64_t modelOpenedBy = 0;         // the request that opened `model`; stays when it is opened again
  bool isReopening = false;                // and whether it opens the same one again
  bool wantsAnother = false;               // openRequest has been neither opened nor refused
  std::uint64_t openGeneration = 0;        // of the last openModel
  bool isModelInEngine = false;            // the model that the engine has is `model`
  GenerateMessage lastGenerate;
  AnalyseMessage lastAnalyse;                            // of the sequence that is mirrored …
  SetByHand setByHand;                                   // in lastAnalyse, or as a file says
  std::map<std::uint64_t, AskedAnalysis> askedAnalyses;  // … and those that have not begun, by generation
  std::optional<Beginning> readAgainFrom;                // of the one that is mirrored, while it is read once more
  std::int64_t givenTokens = 0;                          // that it was read again with, whoever wrote them; 0: not so
  mutable std::optional<std::string> digest;  // promptDigest(); reset with lastAnalyse.prompt and givenTokens
  mutable std::int64_t promptsHashed = 0;

  std::optional<ModelDescription> model;
  SequenceRecord record;
  bool isInEngine = false;                                // the engine knows the sequence that is mirrored
  bool isRestoring = false;                               // it is being given to the engine again …
  SequenceRecord restored;                                // … whose answer gathers here
  std::int64_t mostRolesGiven = std::int64_t{32} << 20U;  // a role costs a byte of a message
  std::optional<Origin> shownFrom;  // of a sequence that another model made than the one that is open
  bool isRecorded = false;          // what is mirrored is a trace's: no engine gets it
  std::uint64_t restoringGeneration = 0;
  std::int64_t promptTokens = 0;
  std::string policy;
  double prefillSeconds = 0;
  std::unordered_map<std::int32_t, std::string> tokenTexts;
  QTimer recordTimer;

  TileWishes tiles;
  std::optional<WeightsRequestMessage> weightsWish;
  std::uint64_t weightsId = 0;  // of the request on its way; 0: none
  WeightsRequestMessage weightsAsked;
};

}  // namespace natscope::ui
