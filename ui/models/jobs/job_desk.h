// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>
#include <functional>

#include "core/base/expected.h"
#include "core/jobs/job_runner.h"
#include "ui/models/jobs/job_list_model.h"

namespace natscope::ui {

/// Everything the window does with jobs, without widgets: the list, the shown job's curves and log, and what is done to
/// them. Files, clusters and processes are met on other threads; answers come as signals. Jobs outlive it.
class JobDesk : public QObject {
  Q_OBJECT

 public:
  /// `root` as JobStore takes it; `program` is natscope-cli, empty: the one beside this program.
  explicit JobDesk(std::filesystem::path root = jobs::default_jobs_folder(), std::filesystem::path program = {},
                   QObject* parent = nullptr);

  [[nodiscard]] JobListModel& list() { return list_; }
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  [[nodiscard]] QString program() const { return QString::fromStdString(program_.string()); }

  /// Whose log and curves are followed. Checked jobs' curves are followed as well.
  void show(const QString& job);
  [[nodiscard]] const QString& shown() const { return shown_; }
  /// Empty until they were read.
  [[nodiscard]] std::shared_ptr<const JobCurves> curves(const QString& job) const;
  /// The shown one first, then the checked ones by name.
  [[nodiscard]] QStringList drawn() const;

  void start(const QString& job);  ///< or resume, where it ran before; not one that is being started
  void startOn(const QString& job, jobs::RunnerKind runner);
  /// Whether it was started and nobody knows yet what came of it: a cluster may take a minute to say.
  [[nodiscard]] bool isStarting(const QString& job) const { return starting_.contains(job); }
  void stop(const QString& job, jobs::StopMode mode);
  void cancel(const QString& job);  ///< now, in the middle of a step
  void remove(const QString& job);
  /// Writes the newest checkpoint as a model folder and says `checkpointReady`; the job goes on meanwhile.
  /// `isBeside`: for another window.
  void openCheckpoint(const QString& job, bool isBeside = false);

  using Answer = std::function<void(bool ok, const QString& out, const QString& problem)>;
  /// Runs natscope-cli with `arguments` on this desk's jobs. `problem` is its error line without "error: ".
  /// `context`: when it is gone nobody is told.
  void runCli(const QStringList& arguments, QObject* context, Answer answer);

  void refresh();  ///< soon, not waiting for the timer

 Q_SIGNALS:
  void refreshed();
  void curvesChanged();
  void logArrived(const QStringList& lines, bool begins);
  void checkpointReady(const QString& model, bool isBeside);
  void said(const QString& text);
  void failed(const natscope::Error& error);

 private:
  void take(JobSnapshot& snapshot);
  void sayEnded();  ///< of those that were to stop
  /// `isEnding`: what was done is said again when the job is not at work any more.
  void act(const QString& job, const QString& done, std::function<Expected<void>(const std::filesystem::path&)> what,
           bool isEnding = false);
  void startWith(const QString& job, std::function<Expected<void>(const std::filesystem::path&)> what);
  [[nodiscard]] std::filesystem::path folderOf(const QString& job) const { return root_ / job.toStdString(); }

  std::filesystem::path root_;
  std::filesystem::path program_;
  JobListModel list_;
  std::shared_ptr<JobReader> reader_;
  QString shown_;
  std::map<std::string, std::shared_ptr<const JobCurves>> curves_;
  QTimer timer_;
  QSet<QString> ending_;    // after the step in work
  QSet<QString> starting_;  // until their runner has answered
  bool isReading_ = false;
  bool isWanted_ = false;
  bool hadProblem_ = false;
};

}  // namespace natscope::ui
