// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/jobs/job_desk.h"
#include "ui/models/jobs/job_draft.h"
#include "ui/views/charts/job_curves_view.h"

class QAction;
class QLabel;
class QPlainTextEdit;
class QPushButton;
class QStackedWidget;
class QTableView;
class QTabWidget;

namespace natscope::ui {

class JobForm;

/// The dock of jobs: the list, what can be done to the chosen one, its curves and its log.
class JobsPanel : public QWidget {
  Q_OBJECT

 public:
  explicit JobsPanel(JobDesk& desk, QWidget* parent = nullptr);

  [[nodiscard]] JobCurvesView& curves() { return *curves_; }
  [[nodiscard]] QString logText() const;
  void choose(const QString& job);
  /// What the keyboard begins with: the list, or what makes a first job.
  [[nodiscard]] QWidget& firstStop() const;
  /// A form for a new job, beside the window.
  JobForm* showForm();
  /// The same, filled with the chosen job's options; nothing chosen: nothing.
  JobForm* showFormLikeChosen();

  [[nodiscard]] QAction* newAction() { return new_; }
  [[nodiscard]] QAction* startAction() { return start_; }
  [[nodiscard]] QAction* stopAction() { return stop_; }
  [[nodiscard]] QAction* keepAction() { return keep_; }
  [[nodiscard]] QAction* deleteAction() { return delete_; }
  [[nodiscard]] QAction* openAction() { return open_; }
  /// All of them, for a menu.
  [[nodiscard]] QList<QAction*> jobActions() const;

 Q_SIGNALS:
  /// A form made a job, which is chosen as soon as the list has it: whoever made it wants to see it.
  void jobMade(const QString& job);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  JobForm* showForm(const JobDraft& draft);
  void makeActions();
  QWidget* makeSide();
  QWidget* makeQuestion();
  void refresh();
  void fitNames();
  void askToDelete();
  void endQuestion();
  void copyCommand();
  void editScript();
  [[nodiscard]] const JobRow* chosen() const;

  JobDesk& desk_;
  QTableView* table_;
  QWidget* newButton_ = nullptr;
  QStackedWidget* pages_;
  QTabWidget* tabs_;
  JobCurvesView* curves_;
  QPlainTextEdit* log_;
  QLabel* about_;
  QWidget* question_ = nullptr;
  QLabel* asked_ = nullptr;
  QPushButton* keepIt_ = nullptr;
  QString toDelete_;
  QString chosenSoon_;  ///< a job that was just made, until the list has it
  QAction* new_ = nullptr;
  QAction* start_ = nullptr;
  QAction* stop_ = nullptr;
  QAction* keep_ = nullptr;
  QAction* cancel_ = nullptr;
  QAction* open_ = nullptr;
  QAction* beside_ = nullptr;
  QAction* duplicate_ = nullptr;
  QAction* copy_ = nullptr;
  QAction* script_ = nullptr;
  QAction* delete_ = nullptr;
};

}  // namespace natscope::ui
