// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QTimer>

#include "ui/models/job_desk.h"
#include "ui/models/job_draft.h"

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;

namespace natscope::ui {

/// The form of a new job: every field with its line of help, the command that it makes, and what the run will take. Not
/// modal; closes when the job is started.
class JobForm : public QDialog {
  Q_OBJECT

 public:
  JobForm(JobDesk& desk, const JobDraft& draft, QWidget* parent = nullptr);

  [[nodiscard]] const JobDraft& draft() const { return draft_; }
  /// The line of a field, by its key; "name" too.
  [[nodiscard]] QLineEdit* field(const QString& key) const { return rows_.value(key).edit; }
  [[nodiscard]] QString problem(const QString& key) const;
  [[nodiscard]] QString command() const;
  [[nodiscard]] QPushButton* startButton() { return start_; }
  [[nodiscard]] QComboBox* kindBox() { return kind_; }

 Q_SIGNALS:
  void started(const QString& job);

 private:
  struct Row {
    QLineEdit* edit = nullptr;
    QWidget* line = nullptr;
    QLabel* label = nullptr;
    QLabel* help = nullptr;
    QString words;         ///< of the help, where nothing is wrong
    bool isKnown = false;  ///< somebody typed here, or asked to start: what is missing may be said
  };

  void addRow(const QString& key, const QString& label, const QString& help, bool isFile);
  void addChoice(const QString& label, QWidget* choice, const QString& words);
  void makeChoices();
  void chooseFile(const QString& key);
  void fill();
  void check();
  void forecast();
  void start();
  [[nodiscard]] QString estimateText() const;

  JobDesk& desk_;
  JobDraft draft_;
  QMap<QString, Row> rows_;
  QFormLayout* form_;
  QComboBox* kind_;
  QComboBox* device_;
  QComboBox* where_;
  QLineEdit* sbatch_;
  QLabel* forecast_;
  QLabel* problem_;
  QPlainTextEdit* command_;
  QPushButton* small_;
  QPushButton* start_;
  QTimer pause_;
  QString measured_;  ///< the forecast's answer for the present fields; empty: none
  int asked_ = 0;
};

}  // namespace natscope::ui
