// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "ui/models/figures/figure_source.h"

namespace natscope::ui {

/// The options that a figure's kind heeds: where there are no weights, what was chosen for them says nothing.
[[nodiscard]] FigureOptions heededOptions(FigureKind kind, const FigureOptions& options);

/// Writes what the window shows to a file, without making it wait.
class FigureExport : public QObject {
  Q_OBJECT

 public:
  explicit FigureExport(Workbench& workbench, QObject* parent = nullptr);

  /// Ends with `written` or `failed`. Errors: export_format, check_format, those of FigureSource, drawFigure and
  /// write_figure_data.
  void start(const ExportRequest& request);

 Q_SIGNALS:
  void written(const QString& path);
  void failed(const natscope::Error& error);

 private:
  FigureSource source_;
};

}  // namespace natscope::ui
