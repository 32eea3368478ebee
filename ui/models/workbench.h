// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "core/cache/policy.h"
#include "ui/bridge/engine_client.h"
#include "ui/models/head_thumbnails.h"
#include "ui/models/prompt_options.h"
#include "ui/models/role_changes.h"
#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/models/settings.h"
#include "ui/models/shown_tile_source.h"
#include "ui/models/token_search.h"
#include "ui/models/weights_queue.h"

namespace natscope::ui {

/// Everything the window is about, without the window: the engine, the sequence, the selection and what is asked next.
///
/// Generate begins a new sequence from the prompt; Continue and Step go on from the last token, and begin one where the
/// prompt or policy has changed since. A follow-up goes on with a text behind what is shown, and the model writes on.
/// Another policy, W or roles are tried on the tokens that are shown: what was written stays as it is. Nothing waits:
/// what has to come first is remembered and done when it is there.
class Workbench : public QObject {
  Q_OBJECT

 public:
  explicit Workbench(Settings& settings, QObject* parent = nullptr);

  [[nodiscard]] EngineClient& client() { return client_; }
  [[nodiscard]] SequenceModel& sequence() { return sequence_; }
  [[nodiscard]] Selection& selection() { return selection_; }
  [[nodiscard]] TokenSearch& search() { return search_; }
  [[nodiscard]] ShownTileSource& tiles() { return tiles_; }
  [[nodiscard]] HeadThumbnails& thumbnails() { return thumbnails_; }
  [[nodiscard]] WeightsQueue& weights() { return weights_; }
  [[nodiscard]] Settings& settings() { return settings_; }

  [[nodiscard]] const PromptOptions& options() const { return options_; }
  void setOptions(const PromptOptions& options) { options_ = options; }
  /// Window and roles set by hand. They hold for every sequence of the open model, until they are changed again.
  [[nodiscard]] const RoleChanges& roleChanges() const { return changes_; }

  [[nodiscard]] bool canAnalyse() const;
  [[nodiscard]] bool canContinue() const;
  [[nodiscard]] bool canFollowUp() const;
  [[nodiscard]] bool isRunning() const;
  /// Whether what is shown began with the prompt of the options, or nothing is shown: then Continue goes on with it.
  [[nodiscard]] bool isOfPrompt() const;
  /// Whether the engine still has the sequence that is shown; after it died only the window has.
  [[nodiscard]] bool hasEngineSequence() const { return client_.knowsSequence(); }
  /// The recording that is shown, or null: then what is shown is an engine's or a session file's.
  [[nodiscard]] std::shared_ptr<const Recording> recording() const;
  /// Whether weights of what is shown can be had: from the engine, or out of a recording.
  [[nodiscard]] bool hasWeights() const { return hasEngineSequence() || recording() != nullptr; }
  /// Whose tokenizer a trace file may use.
  [[nodiscard]] ModelAtHand modelAtHand() const;
  /// What is chosen, as a session keeps it.
  [[nodiscard]] SessionView view() const;

  /// A file begins to be read, to be shown or to change what is shown: its name stands in the status text. Whatever is
  /// asked for from then on is newer, another file too. Returns the number to end it by.
  [[nodiscard]] quint64 beginReading(const QString& path);
  /// Whether what was read counts: nothing newer was asked for since it began.
  [[nodiscard]] bool endReading(quint64 number);
  [[nodiscard]] bool isReading() const { return !readingPath_.isEmpty(); }
  /// The run that was shown before: before a file's, before a text that was stopped while it was read, and one that had
  /// been written in before whatever took its place; null: none.
  [[nodiscard]] const Session* runBefore() const { return before_ ? &before_->run.session : nullptr; }
  /// Whether what is shown can be put aside: it is whole, and the open model's.
  [[nodiscard]] bool canPutAside() const;
  /// Whether what is shown stands in for what was put aside (readAside).
  [[nodiscard]] bool isAside() const { return aside_.has_value(); }
  /// Whether what is shown began with a prompt that a chat template made.
  [[nodiscard]] bool isOfChatTurn() const { return options_.isChatTurn && options_.text == analysed_.text; }
  /// Tokens a second of the last prefill and of the latest steps; 0 where there was none.
  [[nodiscard]] double prefillRate() const;
  [[nodiscard]] double decodeRate() const;
  /// Of the model that is open; while the first one is being opened, of that.
  [[nodiscard]] const QString& modelPath() const { return modelPath_; }
  [[nodiscard]] bool isOpening() const { return opening_.has_value(); }
  /// Whether the options are those of a session that is shown.
  [[nodiscard]] bool hasOptionsOfSession() const { return isSessionShown_ && recording() == nullptr; }
  /// "auto", "cpu" or "cuda": as it was chosen, and while a model is being opened, as that one is.
  [[nodiscard]] const QString& device() const { return opening_ ? opening_->device : device_; }
  /// The context that was asked for for this model, in tokens; 0: its own.
  [[nodiscard]] int contextOf(const QString& folder) const { return folder == contextModel_ ? context_ : 0; }
  /// The session file that is shown, as it was read; empty once something else is, or tokens were added.
  [[nodiscard]] QString sessionFile() const;
  /// What it does or did last; while a file is being read, which one.
  [[nodiscard]] QString statusText() const;
  /// The prompt that the present sequence began with.
  [[nodiscard]] const QString& analysedText() const { return analysed_.text; }
  /// The changes that it was made with.
  [[nodiscard]] const RoleChanges& analysedChanges() const { return analysed_.changes; }

 public Q_SLOTS:
  /// Starts the engine and opens a model in it. An empty command: the settings', else the one beside this program.
  /// `context`: of that model, whenever it is opened, in tokens; 0: its own.
  void begin(const QStringList& engineCommand, const QString& model, const QString& device, int context = 0);
  void openModel(const QString& folder);
  /// A file is to be shown first: the model that is opened next analyses nothing. Where the file is refused, nothing is
  /// shown.
  void waitForFile() { waitsForFile_ = true; }
  /// Opens the model that made what is shown, which then can go on.
  void openModelOfShown();
  void setDevice(const QString& device);
  void setEngineCommand(const QStringList& command);
  /// Shows the run again that runBefore() is: it goes on as if no file had been looked at.
  void showRunBefore();
  /// Shows a session file's sequence. What an engine made for this window is kept: runBefore(). The open model goes on
  /// with it where it is the one that made it.
  void showSession(const natscope::Session& session, const QString& path = {});
  /// Shows a trace file's run, and keeps what was shown in the same way. No engine runs for it; analysing a text ends
  /// it.
  void showRecording(const std::shared_ptr<const natscope::ui::Recording>& recording);
  void analyse();
  /// As analyse(), but what runs is stopped for it, and a model that is being opened is waited for.
  void analyseInstead();
  /// As analyse(), but of a text that is longer than the context the beginning is taken: promptTaken.
  void analyseWhatFits();
  /// Reads what is shown again under the policy of the options; analyses the prompt where that is another one, or
  /// nothing is shown that can be read again. What runs is stopped for it; without an engine it is done when one is
  /// ready.
  void tryPolicy();
  /// Reads what is shown under another policy for a while: options, and what was set by hand, stay what they are, and
  /// endAside() shows it again as it was. What a person asks for meanwhile comes first: then what was put aside is
  /// runBefore(). Only where canPutAside().
  void readAside(const natscope::Policy& policy);
  void endAside();
  /// Sets window and roles by hand and reads what is shown again with them. Changes that the engine refuses are taken
  /// back.
  void changeRoles(const natscope::ui::RoleChanges& changes);
  void generate();
  void continueGenerating();
  void step();
  /// `asTurn`: with the marks of the model's chat template, as the next turn of a conversation.
  void followUp(const QString& text, bool asTurn);
  void stop();

 Q_SIGNALS:
  void stateChanged();  ///< what can be done, or the status text
  void roleChangesChanged();
  void modelOpened(const natscope::ModelDescription& model);
  /// What the session was made with, or with the prompt of a recording.
  void sessionShown(const natscope::ui::PromptOptions& options);
  void promptTaken(const QString& text);   ///< so much of the prompt fits; the options have it
  void followUpRead(const QString& note);  ///< it is part of what is shown now; `note`: what should be known about it
  void followUpRefused(const natscope::Error& error);
  void errorRaised(const natscope::Error& error);
  void errorCleared();  ///< what went wrong works again
  void logLine(const QString& line);

 private:
  /// A session file, as it was read: behind it tokens may be added.
  struct ShownFile {
    QString path;
    std::int64_t tokens = -1;
  };
  /// A model that is being opened.
  struct Opening {
    QString model;
    QString device;
  };
  enum class Next { nothing, generate, step, followUp };
  enum class Read {
    prompt,
    whatFits,    ///< the beginning of a prompt that is longer than the context
    shownAgain,  ///< the tokens that are shown
  };

  /// What a sequence begins with.
  struct Beginning {
    QString text;
    QString policy;
    RoleChanges changes;

    bool operator==(const Beginning&) const = default;
  };

  /// A run that is out of sight.
  struct RunBefore {
    ShownRun run;
    PromptOptions options;
    Beginning beginning;
    SessionView view;
  };

  /// What was shown before others were read in its place.
  struct Aside {
    RunBefore run;
    ShownFile file;
  };

  struct Pins {
    std::vector<TokenPos> tokens;
    std::optional<TokenPos> query;  ///< in the head's map
  };

  /// Something newer was asked for than the file that is being read, or what was put aside.
  void giveUpReading();
  void keepBefore();
  /// Another run takes the place of what is shown, and of all that was still to be done with it.
  void leaveShown();
  /// Whether the model wrote in it, or it was given follow-ups: nothing that reading a prompt would bring back.
  [[nodiscard]] static bool isWritten(const RunBefore& run);
  /// What is pinned is pinned again once the same text was read.
  void rememberPins();
  void forgetPins() { pinsAgain_ = {}; }
  void pinAgain();
  /// What is shown, to come back to.
  [[nodiscard]] RunBefore shownRun(const PromptOptions& options) const;
  /// A text that was not read to its end leaves a part of it, or nothing: the previous run can be shown again.
  void offerReplaced();
  /// Whether what is shown was read aside, be it that something newer was asked for since: nobody wrote it, and nobody
  /// will want it back.
  [[nodiscard]] bool isOfAside() const;
  /// A file's, in place of what is chosen.
  void choose(const SessionView& view);
  void startSequence(Next next, Read what = Read::prompt);
  void askForSequence(Next next, Read what = Read::prompt);
  /// Reads what is shown with what was set by hand, as soon as an engine can.
  void applyRoleChanges();
  /// What is shown with all that was written, where it is of the prompt; else the prompt.
  [[nodiscard]] Read wholeText() const;
  void takePrompt();
  void sendGenerate();
  void sendStep();
  void sendFollowUp();
  void followClient();
  void onModelOpened(const ModelDescription& model);
  void onModelIdentified();
  void onSequenceEnding();
  void onSequenceStarted();
  void onAnalysed();
  void onFollowUpRead(const QString& note);
  void onFollowUpFailed(const Error& error);
  void onRestored();
  void onNotRestored(const QString& why);
  void onLost(const QString& reason);
  void onFailed(const Error& error);
  /// What was asked for and did not begin is not wanted any more; what is shown is what holds.
  void forgetAsked();
  /// Of a follow-up that was stopped, or failed, while it was read: how much stands in the text; empty: nothing.
  [[nodiscard]] QString partOfFollowUp();
  void follow();
  void say(const QString& status);
  [[nodiscard]] bool needsNewSequence() const;
  void openOn(const QString& folder, const QString& device);
  /// The model that is being opened, else the one that is open.
  [[nodiscard]] const QString& wantedModel() const { return opening_ ? opening_->model : modelPath_; }
  /// They hold from now on; nothing is analysed for it.
  void takeRoleChanges(const RoleChanges& changes);
  /// Another model is open than the one that made what is shown: what was set by hand there …
  void setRoleChangesAside();
  void takeRoleChangesAgain();  ///< … holds again once that model is open

  Settings& settings_;
  EngineClient client_;
  SequenceModel sequence_;
  Selection selection_;
  TokenSearch search_;
  std::shared_ptr<const Recording> openRecording_;  // shown while the client says so
  ShownTileSource tiles_;
  HeadThumbnails thumbnails_{tiles_};
  WeightsQueue weights_;
  PromptOptions options_;
  QString modelPath_;
  QString device_ = QStringLiteral("auto");
  QString contextModel_;  // whose context was asked for …
  int context_ = 0;       // … and which
  QString status_;
  RoleChanges changes_;
  bool areChangesAside_ = false;  // of what is shown
  Beginning analysed_;            // of the sequence that is shown …
  Beginning asked_;               // … and of the one that was asked for, which may be refused
  std::optional<Opening> opening_;
  bool wasLost_ = false;
  QString lostReason_;  // said once more when another engine has what is shown
  bool isSessionShown_ = false;
  bool waitsForFile_ = false;
  QString readingPath_;       // of the file that is being read; empty: none …
  quint64 reading_ = 0;       // … or nobody waits for it; the number of the last one
  bool policyWaits_ = false;  // for an engine that is ready …
  bool changesWait_ = false;  // … and so do roles and W that were set by hand
  bool isCutToFit_ = false;   // the text that was asked for last, to begin with
  ShownFile file_;            // that is shown; none where it is not a file's
  std::optional<RunBefore> before_;
  std::optional<RunBefore> replaced_;                     // by the text that is being read
  std::optional<Aside> aside_;                            // while others stand in for it
  std::pair<std::uint64_t, std::uint64_t> asides_{0, 0};  // the first and the last number of those
  Pins pinsAgain_;                                        // in a text that is read again
  Next next_ = Next::nothing;
  FollowUpMessage followUp_;      // that was asked for last …
  std::int64_t followUpAt_ = -1;  // … and while it is read, behind so many tokens; -1: none is
};

}  // namespace natscope::ui
