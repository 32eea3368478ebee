// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/explore/attention_tile.h"
#include "core/explore/sequence_record.h"
#include "core/explore/token_span.h"
#include "core/protocol/messages.h"
#include "core/session/session_file.h"
#include "ui/bridge/other_run.h"

namespace natscope::ui {

/// A sequence that an engine made for this window, kept to be shown again as it was: EngineClient::showAgain.
struct ShownRun {
  Session session;
  RolePlan plan;               ///< what was set by hand, for tokens that are still to come, too
  std::uint64_t openedBy = 0;  ///< the request that opened its model
};

/// The window's end of the pipe to an engine process: starts it, speaks the protocol, keeps a mirror of what it did.
///
///   EngineClient client;
///   connect(&client, &EngineClient::modelOpened, …);
///   client.start();                                   // the process; never a shell
///   client.openModel({.model = "resources/demo"});
///   client.analyse({.prompt = std::string("Alice was")});
///
/// Nothing here waits: slots send and return, answers come as signals, from the thread that owns the object. Requests
/// made before the engine said hello are kept and sent then. When the engine dies, engineLost says why, everything that
/// is mirrored stays, another engine is started (at once, then after longer and longer pauses while it keeps dying),
/// the model is opened again, and the sequence is given to it with its roles as they were, so that it can go on.
///
/// What is refused changes nothing: until an analyse has begun its sequence, and until a model is open, model(),
/// record() and maps stay as they were. Where an engine had to let go of its model for one that then failed, the old
/// one is opened again.
class EngineClient : public QObject {
  Q_OBJECT

 public:
  enum class State {
    stopped,   ///< no process, none wanted
    starting,  ///< the process was started and has not said hello
    idle,      ///< hello came, no model
    opening,
    ready,  ///< a model is open, nothing runs
    analysing,
    generating,
    lost,  ///< it died; the next one starts after a pause
  };
  Q_ENUM(State)

  explicit EngineClient(QObject* parent = nullptr);
  ~EngineClient() override;  ///< says bye, then kills what is still there; never waits long

  /// Program and arguments; takes effect at the next start. Default: natscope-engine beside this program.
  void setCommandLine(const QStringList& commandLine);
  [[nodiscard]] QStringList commandLine() const;
  /// A sequence of more roles (tokens · layers · KV heads) is given to an engine that lost it without them: the model
  /// decides again, and where it decides otherwise that is shown. Default: 2^25.
  void setMostRolesGiven(std::int64_t roles);

  [[nodiscard]] State state() const;
  /// Whether a model with a chat template is open in the engine, and it is not asked for a prompt already.
  [[nodiscard]] bool canMakeChatPrompt() const;
  /// Whether the next engine comes by itself after one was lost. Not so where the program cannot be started or speaks
  /// another protocol: the next one would do the same. It is tried again when a model is to be opened.
  [[nodiscard]] bool isComingBack() const;
  [[nodiscard]] qint64 processId() const;  ///< 0 without a process

  /// What the engine has done so far. Valid until control returns to the event loop: copy what must last longer.
  [[nodiscard]] const SequenceRecord& record() const;
  [[nodiscard]] const std::optional<ModelDescription>& model() const;
  /// Whether the engine has the sequence that is mirrored: it can go on and draw maps. False after an engine was lost.
  [[nodiscard]] bool knowsSequence() const;
  /// Whether it has all tokens of it, or is being given them: readAgain.
  [[nodiscard]] bool canReadAgain() const;
  /// Whether the engine is being given what is mirrored: sequenceRestored, unless that fails.
  [[nodiscard]] bool isRestoring() const;
  /// Whether what is mirrored was made by the model that is open; not so for a file's sequence that no engine has, and
  /// after another model was opened until it has analysed something.
  [[nodiscard]] bool isOfOpenModel() const;
  /// Whether what is mirrored is known to be another model's than the open one: its maps cannot be drawn, and nothing
  /// can go on with it, until that model is opened.
  [[nodiscard]] bool isOfAnotherModel() const;
  /// Query heads a layer, and the bias b on the score of Global, of the model that made what is mirrored; of a file as
  /// far as it says so.
  [[nodiscard]] std::optional<std::int32_t> queryHeads() const;
  [[nodiscard]] std::optional<double> globalBias() const;
  /// The folders of the model, and of the adapter, that what is mirrored was made with, as they were then.
  [[nodiscard]] std::string shownModel() const;
  [[nodiscard]] std::string shownAdapter() const;
  /// Whether what is mirrored is a recorded run (showRecording).
  [[nodiscard]] bool isRecording() const;
  [[nodiscard]] std::int64_t promptTokens() const;
  /// Whether the prompt was read to its end, and whether tokens stand behind it: MirroredRun.
  [[nodiscard]] bool isPromptRead() const;
  [[nodiscard]] bool hasWritten() const;
  /// What was given behind the prompt.
  [[nodiscard]] const std::vector<TokenSpan>& followUps() const;
  /// The text that the mirrored sequence began with: what was taken of a longer one. Empty where it was tokens.
  [[nodiscard]] std::string promptText() const;
  [[nodiscard]] const std::string& policy() const;
  [[nodiscard]] double prefillSeconds() const;  ///< of the last analyse or follow-up; 0 before it is ready
  /// The tokens that it read: the prompt's, a follow-up's, or all that were read again.
  [[nodiscard]] std::int64_t prefillTokens() const;
  /// What was set by hand in the mirrored sequence.
  [[nodiscard]] const SetByHand& setByHand() const;
  /// Where the mirrored sequence comes from, as files that are made of it say it. Cost: a checksum of the prompt, once.
  [[nodiscard]] Provenance provenance() const;
  /// How often one was made: while a text grows it stays what it is.
  [[nodiscard]] std::int64_t promptsHashed() const;
  /// Everything that a session file holds: the mirrored sequence with its prompt and settings.
  [[nodiscard]] Session session() const;
  [[nodiscard]] ShownRun shownRun() const;
  /// Which sequence is shown, of those that were asked for in turn.
  [[nodiscard]] std::uint64_t shownNumber() const;
  /// How a token reads, for candidates; "<id 42>" for tokens that were never named.
  [[nodiscard]] QString tokenText(std::int32_t token) const;

 public Q_SLOTS:
  void start();     ///< starts the process, unless there is one
  void shutdown();  ///< ends it, and does not start another
  void restart();   ///< with the present command line

  void openModel(const natscope::OpenMessage& request);
  void analyse(const natscope::AnalyseMessage& request);
  /// Analyses the tokens that are mirrored once more, under another plan: what was written stays as it is, and
  /// promptTokens() and promptText() are as before once they are all read. Only where canReadAgain().
  /// Returns what shownNumber() will be when the sequence is shown; 0: it cannot be read again.
  std::uint64_t readAgain(const natscope::RolePlan& plan);
  /// Shows a session in place of the mirrored sequence: at once, without an engine. When the model is open whose
  /// weights it was made with (by their SHA-256), the engine gets it, so that it can go on and draw maps:
  /// sequenceRestored.
  void showSession(const natscope::Session& session);
  /// Shows an earlier run in place of the mirrored sequence. Where its model is still open, or is one of the same
  /// weights, the engine gets it and goes on with it.
  void showAgain(const natscope::ui::ShownRun& run);
  /// Shows a recorded run in place of the mirrored sequence. No engine is given it, whichever model is open, until
  /// something else is shown.
  void showRecording(const natscope::Session& recorded);
  void generate(const natscope::GenerateMessage& request);
  void step(const natscope::StepMessage& request);
  /// Goes on behind the last token with a text: followUpRead or followUpFailed.
  void followUp(const natscope::FollowUpMessage& request);
  void stop();

  /// Asks for a tile of the present sequence. One that is already asked for is not asked for twice; the newest wish is
  /// served first; few are on their way at any time, so scrolling away costs little.
  void requestTile(const natscope::TileKey& key);
  /// Forgets wishes that were not sent yet.
  void dropPendingTiles();
  /// Asks for tiles that can wait, in this order, one at a time: none while another one is wished for, nor while the
  /// engine opens, analyses or generates, from which they would take time. Replaces those that wait. A failure ends
  /// them all. What heads attend to is compared with `other`.
  void requestTilesLater(const std::vector<natscope::TileKey>& keys, const OtherRun& other = {});
  /// The newest wish wins: one that was not sent yet is replaced.
  void requestWeights(const natscope::WeightsRequestMessage& request);
  /// Asks for the prompt that the open model is given for a text as a turn of a conversation; one at a time, and only
  /// where canMakeChatPrompt().
  void requestChatPrompt(const QString& user);

 Q_SIGNALS:
  void stateChanged(natscope::ui::EngineClient::State state);
  void engineStarted(const QString& program);  ///< hello came; what it calls itself
  void modelOpened(const natscope::ModelDescription& model);
  void modelIdentified(const QString& sha256);
  void sequenceEnding();   ///< comes before sequenceStarted where a text was begun: all that is mirrored is still there
  void sequenceStarted();  ///< record() is empty and has its new geometry
  void recordChanged();    ///< more frames; at most one signal per timer tick
  void progress(natscope::ProgressPhase phase, qint64 done, qint64 total, double seconds);
  void analysed();          ///< the prompt is processed
  void sequenceRestored();  ///< the engine has what is mirrored again: knowsSequence()
  /// The engine does not get what is mirrored, which can go on only once it was analysed anew.
  void notRestored(const QString& why);
  void followUpRead(const QString& note);  ///< `note`: what should be known about it
  /// What was read of it stays. One that is stopped fails as others do.
  void followUpFailed(const natscope::Error& error);
  void finished(const natscope::FinishedMessage& result);
  void tileArrived(const natscope::AttentionTile& tile);
  void weightsArrived(const natscope::WeightsMessage& weights);
  /// `user` as it was asked; `note`: what should be known about the prompt.
  void chatPromptArrived(const QString& user, const QString& prompt, const QString& note);
  void chatPromptFailed(const natscope::Error& error);
  void failed(const natscope::Error& error);  ///< a request failed; the engine lives
  /// Comes before failed or engineLost: the model that was asked for is not opened, and model() is what it was.
  void modelRefused();
  /// Comes before failed: there will be no weights for this request.
  void weightsFailed(const natscope::WeightsRequestMessage& request, const natscope::Error& error);
  void engineLost(const QString& reason);
  void logLine(const QString& line);  ///< a line of the engine's stderr

 private:
  class Private;
  std::unique_ptr<Private> d_;
};

}  // namespace natscope::ui
