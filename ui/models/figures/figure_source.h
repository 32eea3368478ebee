// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <functional>
#include <memory>

#include "ui/models/figures/export_request.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// Makes figures of what the window shows, without making it wait: weights come from the engine block by block, the
/// figure's numbers are made on another thread. Several may be under way: what they ask the engine for takes turns in
/// WeightsQueue.
class FigureSource : public QObject {
  Q_OBJECT

 public:
  /// What becomes of a figure, on another thread: it must own what it touches.
  using Use = std::function<Expected<void>(FigureData figure)>;
  /// What came of it, on the program's own thread.
  using Done = std::function<void(const Expected<void>& result)>;

  explicit FigureSource(Workbench& workbench, QObject* parent = nullptr);

  /// `isWanted`: asked between two blocks, where given; a figure that is not wanted any more ends as interrupted.
  /// `done` is called once, unless this object is gone first. Errors: those of `use`, bad_range, engine_lost, those of
  /// OverviewFetch and figure_of_run.
  void make(const ExportRequest& request, Use use, Done done, std::function<bool()> isWanted = {});

 private:
  struct Wish {
    ExportRequest request;
    Use use;
    Done done;
    std::function<bool()> isWanted;
  };
  struct Job;
  /// Whether it can be asked for weights. Errors: engine_lost.
  [[nodiscard]] Expected<void> checkEngine() const;
  /// Axes and origin of the shown run, for weights to come.
  [[nodiscard]] FigureData figureOfWeights() const;
  void makeOverview(Wish wish);
  void makeOfRun(Wish wish);
  void makeOfWeights(Wish wish);
  void makeRecorded(const std::shared_ptr<const Recording>& recording, Wish wish);
  void askForNextRows(const std::shared_ptr<Job>& job);
  void makeElsewhere(std::function<Expected<FigureData>()> make, Wish wish);

  Workbench& workbench_;
};

}  // namespace natscope::ui
