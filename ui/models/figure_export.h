// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <filesystem>

#include "ui/figure/figure.h"
#include "ui/models/run_comparison.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// What a text's colours tell.
enum class TextColours : std::uint8_t {
  roles,       ///< in one head
  heldShares,  ///< the share of heads that hold each token
  losses,      ///< with a run beside it, how they differ
};

/// What is to be written, and where.
struct ExportRequest {
  FigureKind kind = FigureKind::attention;
  MapId map;                       ///< attention, mask, text, vocabulary
  PositionRange queries;           ///< attention, mask
  PositionRange keys;              ///< attention, mask; of a text its tokens
  std::optional<LayerId> layer{};  ///< overview, statistics: only this one
  TextColours text = TextColours::roles;
  bool isOfOneHead = false;  ///< vocabulary: the map's, instead of all
  FigureOptions options;
  /// The kept run, or null. kv, drawn: in the same figure; roles: which of the two caches holds what; text of losses:
  /// how they differ.
  std::shared_ptr<const KeptRun> beside;
  std::filesystem::path path;  ///< its ending says the format: png, svg, pdf, csv, npy, json
};

/// Writes what the window shows to a file, without making it wait: weights come from the engine block by block, drawing
/// and writing happen on another thread. One export at a time; a second one waits its turn in the engine's queue.
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
  /// With names for tokens that have no text of their own.
  [[nodiscard]] FigureData named(FigureData figure) const;
  void writeOverview(const ExportRequest& request);
  void writeCurve(const ExportRequest& request);
  void writeByToken(const ExportRequest& request);
  void writeRecorded(const std::shared_ptr<const Recording>& recording, const ExportRequest& request);
  void askForNextRows(const std::shared_ptr<Job>& job);
  void write(FigureData figure, const ExportRequest& request);

  Workbench& workbench_;
};

}  // namespace natscope::ui
