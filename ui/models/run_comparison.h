// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <memory>

#include "core/explore/run_figures.h"
#include "ui/models/loss_difference.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// A run that was set aside to be compared with: a copy, which nothing changes any more.
struct KeptRun {
  SequenceRecord record;
  std::int64_t promptTokens = 0;
  QString name;   ///< its policy in words, with W where there is one, and what was set by hand
  QString model;  ///< what its model is called
  Provenance provenance;
  bool hasRoles = true;  ///< not so under H2O
  QString untrained;     ///< that its model was not trained for its policy; else empty
};

/// The present run beside one that was kept. Another one kept replaces it.
/// Keeping shares the record; where more tokens may come, it is copied on another thread.
class RunComparison : public QObject {
  Q_OBJECT

 public:
  explicit RunComparison(Workbench& workbench, QObject* parent = nullptr);

  [[nodiscard]] const std::shared_ptr<const KeptRun>& kept() const { return kept_; }
  [[nodiscard]] bool canKeep() const { return !workbench_.sequence().isEmpty(); }
  /// What the present run's losses are beside the kept one's.
  [[nodiscard]] LossDifference& losses() { return losses_; }
  /// What the present run is called.
  [[nodiscard]] QString presentName() const;
  /// What its model, or the file of a recording, is called.
  [[nodiscard]] QString presentModel() const;
  /// Both runs' numbers in one line of rich text: after the last token that both have, and over the prompt. Empty
  /// without a kept run.
  [[nodiscard]] QString inWords() const;

  /// The kept run as a session file holds it; null without one.
  [[nodiscard]] std::shared_ptr<const Session> asSession() const;
  /// Keeps a file's run. One that is kept already stays, and false is said.
  bool restore(const Session& session);

 public Q_SLOTS:
  void keep();
  void drop();

 Q_SIGNALS:
  void changed();  ///< another run is kept, or none

 private:
  [[nodiscard]] QString perplexityWords(const SequenceRecord& now) const;

  Workbench& workbench_;
  LossDifference losses_;
  std::shared_ptr<const KeptRun> kept_;
};

}  // namespace natscope::ui
