// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "ui/models/figure_export.h"

class QComboBox;
class QSpinBox;

namespace natscope::ui {

/// What the window knows about the map on screen when an export is asked for.
struct ShownMap {
  MapId map;
  PositionRange queries;  ///< in view
  PositionRange keys;
  std::int64_t tokens = 0;
  ScaleOptions scale;
  ColourMap colours = ColourMap::viridis;
};

/// Which figure, which part of it, how it looks; then where to. Does not block the window.
class ExportDialog : public QDialog {
  Q_OBJECT

 public:
  ExportDialog(const ShownMap& shown, FigureKind kind, Theme theme, const QString& folder, QWidget* parent = nullptr);

 Q_SIGNALS:
  void wanted(const natscope::ui::ExportRequest& request);

 private:
  void choosePath();
  [[nodiscard]] ExportRequest request(const QString& path) const;
  [[nodiscard]] QString proposedName() const;

  ShownMap shown_;
  QString folder_;
  QComboBox* kind_;
  QComboBox* part_;
  QComboBox* format_;
  QComboBox* theme_;
  QComboBox* texts_;
  QSpinBox* dpi_;
};

}  // namespace natscope::ui
