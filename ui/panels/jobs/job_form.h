// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QSet>
#include <QTimer>

#include "ui/models/jobs/job_desk.h"
#include "ui/models/jobs/job_draft.h"
#include "ui/panels/jobs/job_field_line.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QScrollArea;
class QVBoxLayout;

namespace natscope::ui {

/// The form of a new job: every field with its line of help, the command that it makes, and what the run will take. Not
/// modal; closes when the job is started.
class JobForm : public QDialog {
  Q_OBJECT

 public:
  JobForm(JobDesk& desk, const JobDraft& draft, QWidget* parent = nullptr);

  [[nodiscard]] const JobDraft& draft() const { return draft_; }
  /// The line of a field of the present kind, by its key; "name" too.
  [[nodiscard]] JobFieldLine* field(const QString& key) const { return lines_.value(key); }
  [[nodiscard]] QString problem(const QString& key) const { return draft_.problems().value(key); }
  [[nodiscard]] QString command() const;
  [[nodiscard]] QString forecastText() const;
  /// What the command refused, or why it was not asked, until a field is changed; empty: nothing.
  [[nodiscard]] QString refusal() const;
  [[nodiscard]] QPushButton* startButton() { return start_; }
  [[nodiscard]] QPushButton* scriptButton() { return script_; }
  [[nodiscard]] QComboBox* kindBox() { return kind_; }
  [[nodiscard]] QComboBox* whereBox() { return where_; }
  [[nodiscard]] QLineEdit* sbatchLine() { return sbatch_; }

 Q_SIGNALS:
  void started(const QString& job);
  /// It is there and waits for its batch script.
  void described(const QString& job);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void makeTop();
  QWidget* makeBottom();
  QWidget* addChoice(const QString& label, QWidget* choice, const QString& words);
  JobFieldLine* addLine(const jobs::JobField& field);
  void showFields();  ///< the kind's own, in groups
  void fill();
  void fold();
  void fit();
  void orderTabs();
  void check();
  void forecast();
  void mark();  ///< what is wrong or odd, at its field
  /// The first field that stands in the way, in sight and beside the buttons.
  void sayFirst(const QMap<QString, QString>& problems);
  void start(bool isStarted);
  void end(bool ok, bool isStarted, const QString& job, const QString& problem);
  [[nodiscard]] QString estimateText() const;
  [[nodiscard]] QString freeName() const;

  JobDesk& desk_;
  JobDraft draft_;
  QMap<QString, JobFieldLine*> lines_;
  QSet<QString> known_;  ///< somebody typed there, or asked to start: what is missing may be said
  QScrollArea* scroll_;
  QWidget* content_;
  QVBoxLayout* form_;
  QWidget* sbatchRow_ = nullptr;
  QMap<QString, QLabel*> headings_;
  QComboBox* kind_;
  QComboBox* device_;
  QComboBox* where_;
  QLineEdit* sbatch_;
  QCheckBox* all_;
  QLabel* forecast_;
  QLabel* problem_;
  QPlainTextEdit* command_;
  QPushButton* small_;
  QPushButton* script_;
  QPushButton* start_;
  QList<QWidget*> bottom_;  ///< what Tab comes to behind the fields
  QTimer pause_;
  QString measured_;  ///< the forecast's answer for the present fields; empty: none
  double diskBytes_ = 0;
  qint64 lengthMeasured_ = 0;  ///< tokens of the longest document, as the forecast says
  int asked_ = 0;
  bool isFilling_ = false;
};

}  // namespace natscope::ui
