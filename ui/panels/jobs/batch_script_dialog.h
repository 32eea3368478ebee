// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "ui/models/jobs/job_desk.h"

class QLabel;
class QPlainTextEdit;
class QPushButton;

namespace natscope::ui {

/// A job's slurm.sh, to edit, save and submit.
class BatchScriptDialog : public QDialog {
  Q_OBJECT

 public:
  BatchScriptDialog(JobDesk& desk, const QString& job, QWidget* parent = nullptr);

 private:
  void read();
  void save(bool andStart);

  JobDesk& desk_;
  QString job_;
  QPlainTextEdit* text_;
  QLabel* problem_;
  QPushButton* save_;
  QPushButton* start_;
};

}  // namespace natscope::ui
