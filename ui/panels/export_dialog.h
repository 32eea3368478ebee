// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <optional>
#include <vector>

#include "ui/models/figures/export_command.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QLabel;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;

namespace natscope::ui {

class RangeField;

/// What the window knows about the map on screen when an export is asked for.
struct ShownMap {
  MapId map;
  PositionRange queries;  ///< in view
  PositionRange keys;
  std::int64_t tokens = 0;
  ScaleOptions scale;
  std::optional<FixedRange> range;  ///< that its colours have on screen, once it is there
  ColourMap colours = ColourMap::viridis;
  bool isCacheShare = false;  ///< the chart of the cache is in percent
};

/// An entry of the list of figures.
struct ExportChoice {
  ExportChoice(FigureKind of, TextColours by = TextColours::roles, bool besideKept = false)
      : kind(of), text(by), isCompared(besideKept) {}
  [[nodiscard]] static ExportChoice vocabularyOfOneHead() {
    ExportChoice choice(FigureKind::vocabulary);
    choice.isOfOneHead = true;
    return choice;
  }

  FigureKind kind;
  TextColours text;          ///< of a text
  bool isOfOneHead = false;  ///< of a vocabulary
  bool isCompared;           ///< with the kept run: in an entry of its own, where that makes another figure

  friend bool operator==(const ExportChoice&, const ExportChoice&) = default;
};

/// Which figure, which part of it, how it looks; then where to. Offers what the command line's `export` offers, and
/// shows the command that writes the same. Does not block the window.
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

 Q_SIGNALS:
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
  void copyCommand();
  void addChoices(const ExportChoice& first);
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
  QLabel* holds_;
  QPlainTextEdit* command_;
  QString written_;  // the command, all of it
  QPushButton* copy_;
  QPushButton* saveKept_;
};

}  // namespace natscope::ui
