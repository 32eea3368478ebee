// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "ui/models/export_command.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPlainTextEdit;
class QPushButton;
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

/// Which figure, which part of it, how it looks; then where to. Offers what the command line's `export` offers, and
/// shows the command that writes the same. Does not block the window.
class ExportDialog : public QDialog {
  Q_OBJECT

 public:
  /// `kept`: a run that may stand beside this one in the KV cache chart, or null.
  ExportDialog(const ShownMap& shown, FigureKind kind, Theme theme, const QString& folder, ExportOrigin origin,
               std::shared_ptr<const KeptRun> kept, QWidget* parent = nullptr);

  /// What would be written to `path` as the fields stand.
  [[nodiscard]] ExportRequest request(const QString& path) const;
  /// The command line that is shown.
  [[nodiscard]] QString command() const;
  [[nodiscard]] QString proposedName() const;
  void setFormat(const QString& ending);  ///< "png", …; those that this kind does not have are ignored

 Q_SIGNALS:
  void wanted(const natscope::ui::ExportRequest& request);

 private:
  void makeForm();
  void makeRanges();
  void showRanges();
  [[nodiscard]] QWidget* rangeLine(QSpinBox* first, QSpinBox* last);
  void choosePath();
  void follow();
  void copyCommand();
  [[nodiscard]] FigureKind kind() const;
  [[nodiscard]] bool isTextOfAllHeads() const;

  ShownMap shown_;
  QString folder_;
  ExportOrigin origin_;
  std::shared_ptr<const KeptRun> kept_;
  QComboBox* kind_;
  QComboBox* part_;
  QSpinBox* firstQuery_;
  QSpinBox* lastQuery_;
  QSpinBox* firstKey_;
  QSpinBox* lastKey_;
  QComboBox* layers_;
  QComboBox* format_;
  QComboBox* theme_;
  QComboBox* texts_;
  QComboBox* colours_;
  QComboBox* scale_;
  QDoubleSpinBox* clip_;
  QComboBox* normalise_;
  QCheckBox* hideSink_;
  QCheckBox* beside_;
  QSpinBox* dpi_;
  QLabel* holds_;
  QPlainTextEdit* command_;
  QPushButton* copy_;
};

}  // namespace natscope::ui
