// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/jobs/job_fields.h"

class QCheckBox;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QLayout;
class QLineEdit;

namespace natscope::ui {

/// A line of a form: its name at the left, and over its words of help what is filled in.
void layOutJobLine(QWidget& line, QLabel* label, QLayout* row, QLabel* help);

/// One field of a job's form as what suits its kind (a line, a box of choices, check boxes), with its words of help
/// under it, in whose place stands what is wrong.
class JobFieldLine : public QWidget {
  Q_OBJECT

 public:
  explicit JobFieldLine(const jobs::JobField& field, QWidget* parent = nullptr);

  [[nodiscard]] const jobs::JobField& field() const { return field_; }
  [[nodiscard]] QString text() const;
  /// Says `changed` when it differs.
  void setText(const QString& text);
  /// Empty: nothing is wrong. A remark, where nothing is, stands before the words of help.
  void setProblem(const QString& problem, const QString& remark = {});

 Q_SIGNALS:
  void changed(const QString& text);
  void touched();  ///< by a hand

 private:
  void makeText(QHBoxLayout& row);
  void makeChoice(QHBoxLayout& row);
  void makeChecks(QHBoxLayout& row);
  void chooseFile();

  const jobs::JobField& field_;
  QLabel* label_;
  QLabel* help_;
  QString words_;
  QLineEdit* edit_ = nullptr;
  QComboBox* choice_ = nullptr;
  QList<QCheckBox*> checks_;  ///< one a choice; one of a yes or no
};

}  // namespace natscope::ui
