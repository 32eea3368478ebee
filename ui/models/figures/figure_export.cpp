// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/figure_export.h"

#include <utility>

#include "core/export/data_files.h"

namespace natscope::ui {
namespace {

Expected<void> writeFigure(const FigureData& figure, const ExportRequest& request) {
  NATSCOPE_TRY(const ExportFormat format, export_format(request.path));
  const FigureOptions options = heededOptions(figure.kind, request.options);
  if (!is_data_format(format)) return drawFigure(figure, options, request.path);
  return write_figure_data(request.path, prepared(figure, options.scale));
}

}  // namespace

FigureOptions heededOptions(FigureKind kind, const FigureOptions& options) {
  FigureOptions heeded = options;
  if (kind == FigureKind::attention || kind == FigureKind::overview) return heeded;
  const auto range = heeded.scale.range;  // of losses
  heeded.scale = {};
  heeded.scale.range = range;
  return heeded;
}

FigureExport::FigureExport(Workbench& workbench, QObject* parent) : QObject(parent), source_(workbench) {}

void FigureExport::start(const ExportRequest& request) {
  const auto format = export_format(request.path);
  const auto isWritten = format ? check_format(request.kind, *format) : Expected<void>(Unexpected(format.error()));
  if (!isWritten) {
    Q_EMIT failed(isWritten.error());
    return;
  }
  source_.make(
      request, [request](const FigureData& figure) { return writeFigure(figure, request); },
      [this, path = QString::fromStdString(request.path.string())](const Expected<void>& result) {
        if (result) {
          Q_EMIT written(path);
        } else {
          Q_EMIT failed(result.error());
        }
      });
}

}  // namespace natscope::ui
