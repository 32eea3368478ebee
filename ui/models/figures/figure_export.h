// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/export/figure_request.h"
#include "ui/figure/figure.h"
#include "ui/models/runs/run_comparison.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// What is to be written, and where.
struct ExportRequest : FigureRequest {
  FigureOptions options;
  /// The kept run, or null. kv, drawn: in the same figure; roles: which of the two caches holds what; text of losses:
  /// how they differ.
  std::shared_ptr<const KeptRun> beside;
  std::filesystem::path path;  ///< its ending says the format: png, svg, pdf, csv, npy, json
};

/// Writes what the window shows to a file, without making it wait: weights come from the engine block by block, and the
/// figure's numbers, its drawing and its file are made on another thread. Several may be under way: what they ask the
/// engine for takes turns in WeightsQueue.
class FigureExport : public QObject {
  Q_OBJECT

 public:
  explicit FigureExport(Workbench& workbench, QObject* parent = nullptr);

  /// Ends with `written` or `failed`. Errors: export_format, check_format, bad_range, engine_lost, those of
  /// OverviewFetch, drawFigure and write_figure_data.
  void start(const ExportRequest& request);

 Q_SIGNALS:
  void written(const QString& path);
  void failed(const natscope::Error& error);

 private:
  struct Job;
  /// Whether it can be asked for weights; if not, that is the end of the export.
  [[nodiscard]] bool hasEngine();
  /// Axes and origin of the shown run, for weights to come.
  [[nodiscard]] FigureData figureOfWeights() const;
  void writeOverview(const ExportRequest& request);
  void writeOfRun(const ExportRequest& request);
  void writeWeights(const ExportRequest& request);
  void writeRecorded(const std::shared_ptr<const Recording>& recording, const ExportRequest& request);
  void askForNextRows(const std::shared_ptr<Job>& job);
  void write(FigureData figure, const ExportRequest& request);
  void writeElsewhere(std::function<Expected<void>()> work, const std::filesystem::path& path);

  Workbench& workbench_;
};

}  // namespace natscope::ui
