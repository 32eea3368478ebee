// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QHash>
#include <QObject>
#include <QString>
#include <memory>
#include <optional>
#include <vector>

#include "core/explore/run_figures.h"
#include "ui/models/runs/kept_run.h"
#include "ui/models/runs/loss_difference.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// The present run beside one of those that were kept, the last one kept unless another is chosen.
/// Keeping shares the record; where more tokens may come, it is copied on another thread.
class RunComparison : public QObject {
  Q_OBJECT

 public:
  explicit RunComparison(Workbench& workbench, QObject* parent = nullptr);

  /// So many are kept at most, and so much memory of theirs together: then the oldest one goes.
  static constexpr std::size_t mostKept = 24;
  static constexpr std::int64_t mostBytes = std::int64_t{2} << 30U;
  void setMostBytes(std::int64_t bytes) { mostBytes_ = bytes; }

  /// The one that is compared with; null while none is kept.
  [[nodiscard]] const std::shared_ptr<const KeptRun>& kept() const { return kept_; }
  /// All that are kept, the oldest first.
  [[nodiscard]] const std::vector<std::shared_ptr<const KeptRun>>& runs() const { return runs_; }
  [[nodiscard]] bool canKeep() const { return !workbench_.sequence().isEmpty(); }
  /// What the present run's losses are beside the kept one's.
  [[nodiscard]] LossDifference& losses() { return losses_; }
  /// What the present run is called.
  [[nodiscard]] QString presentName() const;
  /// What its model, or the file of a recording, is called.
  [[nodiscard]] QString presentModel() const;
  /// Both runs' numbers in one line of rich text: after the last token that both have, and over the prompt. Empty
  /// without a kept run. `leftOut` shortens it: 1 marks a policy that the model was not trained under with ▲ in place
  /// of a sentence, 2 leaves the entries out as well, 3 (mostLeftOut) also what the numbers are of.
  [[nodiscard]] QString inWords(int leftOut = 0) const;
  static constexpr int mostLeftOut = 3;
  /// How often the two prompts were read from end to end: while a run goes on they stay what they are.
  [[nodiscard]] std::int64_t promptsRead() const { return promptsRead_; }

  /// The kept run as a session file holds it beside its own; null without one.
  [[nodiscard]] std::shared_ptr<const Session> asSession() const;
  /// As a session file of its own, with all that was known of it; null without one.
  [[nodiscard]] std::shared_ptr<const Session> asFile() const;
  /// The file that the kept run was saved as; empty: none.
  [[nodiscard]] QString file() const { return files_.value(kept_.get()); }
  /// One that is not kept any more has none.
  void setFile(const std::shared_ptr<const KeptRun>& run, const QString& path);
  /// Something else was written there: it is no kept run's file any more.
  void forgetFile(const QString& path);
  /// Keeps a file's run. Where another one is compared with already, that stays so, and false is said.
  bool restore(const Session& session);

 public Q_SLOTS:
  /// Keeps the present run and compares with it. One that is kept already is not kept twice.
  void keep();
  /// Compares with another one of those that are kept.
  void choose(int index);
  /// Forgets the one that is compared with; the last one kept of the others takes its place.
  void drop();

 Q_SIGNALS:
  void letGo(const QString& run);  ///< the oldest one, for which there is no room any more
  void changed();                  ///< another run is compared with, or none, or others are kept
  /// There is no memory to keep what was to be kept: it is forgotten again.
  void failed(const natscope::Error& error);

 private:
  /// Both runs over a prompt that both begin with.
  struct OfPrompt {
    std::int64_t tokens = 0;
    bool isSame = false;
    bool isSameText = false;         // in other tokens
    bool dropsAfterReading = false;  // one of them: RunOutcome
    std::optional<double> mine{};
    std::optional<double> other{};
  };
  [[nodiscard]] const OfPrompt& ofPrompt(std::int64_t tokens) const;
  [[nodiscard]] QString perplexityWords(const SequenceRecord& now, bool saysOfWhat) const;
  /// `run`, or the same one where it is kept already.
  std::shared_ptr<const KeptRun> add(const std::shared_ptr<const KeptRun>& run);
  void forget(std::shared_ptr<const KeptRun> run);

  Workbench& workbench_;
  std::int64_t mostBytes_ = mostBytes;
  LossDifference losses_;
  std::vector<std::shared_ptr<const KeptRun>> runs_;
  std::shared_ptr<const KeptRun> kept_;
  QHash<const KeptRun*, QString> files_;      // of those in `runs_`
  mutable std::optional<OfPrompt> ofPrompt_;  // until one of the two is another run
  mutable std::int64_t promptsRead_ = 0;
};

}  // namespace natscope::ui
