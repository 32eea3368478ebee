// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <optional>
#include <vector>

#include "ui/models/figures/export_command.h"
#include "ui/panels/export_choice.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;
class QTimer;

namespace natscope::ui {

class PreviewFrame;
class RangeField;
class TitleField;

/// Which figure, which part of it, how it looks; then where to. Offers what the command line's `export` offers, and
/// shows the command that writes the same, and what will be written, which whoever makes it for `previewWanted` gives
/// back. Does not block the window.
class ExportDialog : public QDialog {
  Q_OBJECT

 public:
  /// `kept`: a run that may stand beside this one in the KV cache chart, or null.
  ExportDialog(const ShownMap& shown, const ExportChoice& first, Theme theme, const QString& folder,
               ExportOrigin origin, std::shared_ptr<const KeptRun> kept, QWidget* parent = nullptr);

  /// What would be written to `path` as the fields stand.
  [[nodiscard]] ExportRequest request(const QString& path) const;
  /// The command line that is shown.
  [[nodiscard]] QString command() const;
  [[nodiscard]] QString proposedName() const;
  /// The kept run was saved as this file: the command names it.
  void setKeptFile(const QString& path);
  void setFormat(const QString& ending);  ///< "png", …; those that this kind does not have are ignored
  void showPreview(const FigurePreview& preview);
  /// In place of a preview.
  void showProblem(const Error& error);

 Q_SIGNALS:
  /// A while after the last change. `room`: pixels that a picture may have.
  void previewWanted(const natscope::ui::ExportRequest& request, QSize room);
  void wanted(const natscope::ui::ExportRequest& request);
  void keptRunToSave(const QString& path);
  void formatChosen(const QString& ending);  ///< by a hand

 private:
  void makeForm();
  void makeRanges();
  void showRanges();
  [[nodiscard]] QWidget* sideBySide(std::initializer_list<QWidget*> fields);
  [[nodiscard]] ScaleKind scaleKind() const;
  /// Whether the figure has colours with a range.
  [[nodiscard]] bool hasRange() const;
  /// Nothing: by itself. Errors: as parse_fixed_range.
  [[nodiscard]] Expected<std::optional<FixedRange>> chosenRange() const;
  void choosePath();
  void chooseKeptFile();
  void follow();
  void askForPreview();
  void copyCommand();
  void addKinds(const ExportChoice& first);
  [[nodiscard]] const ExportChoice& choice() const;
  [[nodiscard]] FigureKind kind() const { return choice().kind; }

  ShownMap shown_;
  QString folder_;
  ExportOrigin origin_;
  std::shared_ptr<const KeptRun> kept_;
  QFormLayout* form_;
  QPushButton* save_ = nullptr;
  std::vector<ExportChoice> choices_;  // as the list has them
  // Made in the order in which the form has them, in which Tab goes, too.
  QComboBox* kind_;
  QComboBox* part_;
  QSpinBox* firstQuery_;
  QSpinBox* lastQuery_;
  QSpinBox* firstKey_;
  QSpinBox* lastKey_;
  QComboBox* layers_;
  QComboBox* format_;
  QComboBox* scale_;
  QDoubleSpinBox* clip_;
  RangeField* range_;
  QComboBox* normalise_;
  QCheckBox* hideSink_;
  QCheckBox* beside_;
  bool wantsBeside_ = false;  // where a figure can have it
  QComboBox* colours_;
  QComboBox* theme_;
  QComboBox* texts_;
  QComboBox* unit_;
  QSpinBox* dpi_;
  QDoubleSpinBox* width_;
  QSpinBox* cell_;
  TitleField* title_;
  QDoubleSpinBox* fontSize_;
  QLineEdit* name_;       ///< of this run, in a comparison …
  QLineEdit* otherName_;  ///< … and of the kept one
  QLabel* holds_;
  QPlainTextEdit* command_;
  QString written_;  // the command, all of it
  QPushButton* copy_;
  QPushButton* saveKept_;
  PreviewFrame* preview_;
  QTimer* previewSoon_;
};

}  // namespace natscope::ui
