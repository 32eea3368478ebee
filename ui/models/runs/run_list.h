// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QHash>
#include <QObject>
#include <optional>
#include <vector>

#include "core/export/run_table.h"
#include "ui/models/runs/run_comparison.h"

namespace natscope::ui {

/// The run that is shown and those that were kept, a row each. Of every run the prompt alone counts, so a row stays as
/// it is while the run writes on.
class RunList : public QObject {
  Q_OBJECT

 public:
  struct Row {
    RunRow figures;
    std::optional<int> kept;  ///< of RunComparison::runs(); nothing for the run that is shown
    bool isCompared = false;
  };

  RunList(Workbench& workbench, RunComparison& comparison, QObject* parent = nullptr);

  /// First the run that is shown, once its prompt was read to its end (during Workbench::readAside the one that was put
  /// aside), then the kept ones, the oldest first. A kept run that is the same as the shown one has no row of its own.
  /// Cost: each run's frames are read once, when it is first seen; a later call costs what its rows do.
  [[nodiscard]] std::vector<Row> rows() const;
  /// Whether the first row is the run that is shown.
  [[nodiscard]] bool hasShown() const;
  /// The policy that the open model was trained under; empty where that is not known, or another model's is shown.
  [[nodiscard]] std::string trainedWith() const;

 private:
  struct Known {
    RunOutcome outcome;
    std::optional<bool> isSameText{};  // as the run that is shown; until another one is
  };

  [[nodiscard]] Known& knownOf(const std::shared_ptr<const KeptRun>& run) const;

  Workbench& workbench_;
  RunComparison& comparison_;
  mutable std::optional<RunRow> shown_;
  mutable QHash<const KeptRun*, Known> known_;
};

}  // namespace natscope::ui
