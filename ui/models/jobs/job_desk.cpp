// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/jobs/job_desk.h"

#include <QCoreApplication>
#include <QJsonDocument>
#include <QJsonObject>
#include <QPointer>
#include <QProcess>
#include <QThreadPool>
#include <algorithm>

#include "ui/models/elsewhere.h"

namespace natscope::ui {
namespace {

constexpr int refreshMs = 1000;
constexpr qsizetype longestProblem = 1000;
constexpr int threadsThatWait = 4;

/// Threads for what may wait for a cluster, so that files and tiles do not wait behind it. Their end is the program's.
QThreadPool* threadsOfJobs() {
  static QPointer<QThreadPool> pool;
  if (!pool) {
    pool = new QThreadPool(QCoreApplication::instance());
    pool->setMaxThreadCount(threadsThatWait);
  }
  return pool;
}

/// The last line of `text` that says what is wrong, as every program of ours writes it.
QString problemOf(const QByteArray& text) {
  const QString all = QString::fromUtf8(text.right(longestProblem * 4)).trimmed();
  // At a line's beginning: what another program said may stand in the line, with an error of its own.
  const QString sign = QStringLiteral("error: ");
  const qsizetype at = all.lastIndexOf(u'\n' + sign);
  const QString line = at < 0 ? all : all.mid(at + 1);
  return (line.startsWith(sign) ? line.mid(sign.size()) : line).left(longestProblem);
}

}  // namespace

JobDesk::JobDesk(std::filesystem::path root, std::filesystem::path program, QObject* parent)
    : QObject(parent),
      root_(std::move(root)),
      program_(program.empty() ? jobs::cli_program() : std::move(program)),
      reader_(std::make_shared<JobReader>(root_)) {
  connect(&timer_, &QTimer::timeout, this, &JobDesk::refresh);
  connect(&list_, &JobListModel::checkedChanged, this, [this] {
    Q_EMIT curvesChanged();
    refresh();
  });
  timer_.start(refreshMs);
  refresh();
}

void JobDesk::refresh() {
  if (isReading_) {
    isWanted_ = true;
    return;
  }
  isReading_ = true;
  isWanted_ = false;
  JobWish wish;
  wish.log = shown_.toStdString();
  for (const QString& job : drawn()) wish.curves.insert(job.toStdString());
  // The reader is shared: a read that a slow disk holds up may end after this desk.
  elsewhere(
      this, [reader = reader_, wish] { return reader->read(wish); },
      [this](Expected<JobSnapshot>& read) {
        JobSnapshot failed;
        if (!read) failed.problem = read.error();
        take(read ? *read : failed);
      },
      threadsOfJobs());
}

void JobDesk::take(JobSnapshot& snapshot) {
  isReading_ = false;
  if (snapshot.problem) {
    if (!std::exchange(hadProblem_, true)) Q_EMIT failed(*snapshot.problem);
    return;
  }
  hadProblem_ = false;
  const bool haveCurvesChanged = snapshot.curves != curves_;
  curves_ = std::move(snapshot.curves);
  list_.setRows(std::move(snapshot.rows));
  sayEnded();
  if (snapshot.logOf == shown_.toStdString() && (snapshot.logBegins || !snapshot.log.isEmpty())) {
    Q_EMIT logArrived(snapshot.log, snapshot.logBegins);
  }
  if (haveCurvesChanged) Q_EMIT curvesChanged();
  Q_EMIT refreshed();
  if (isWanted_) refresh();
}

void JobDesk::sayEnded() {
  for (const QString& job : QSet<QString>(ending_)) {
    const JobRow* const row = list_.find(job);
    if (row != nullptr && jobs::is_active(row->entry.status.state)) continue;
    ending_.remove(job);
    if (row != nullptr) Q_EMIT said(tr("%1 is %2").arg(job, signOf(row->entry.status.state).word));
  }
}

void JobDesk::show(const QString& job) {
  if (shown_ == job) return;
  shown_ = job;
  Q_EMIT curvesChanged();
  refresh();
}

std::shared_ptr<const JobCurves> JobDesk::curves(const QString& job) const {
  const auto found = curves_.find(job.toStdString());
  return found == curves_.end() ? nullptr : found->second;
}

QStringList JobDesk::drawn() const {
  QStringList names(list_.checked().begin(), list_.checked().end());
  names.removeAll(shown_);
  std::sort(names.begin(), names.end());
  if (!shown_.isEmpty()) names.prepend(shown_);
  return names;
}

void JobDesk::act(const QString& job, const QString& done,
                  std::function<Expected<void>(const std::filesystem::path&)> what, bool isEnding) {
  elsewhere(
      this, [what = std::move(what), folder = folderOf(job)] { return what(folder); },
      [this, job, done, isEnding](const Expected<void>& result) {
        starting_.remove(job);
        if (result) {
          Q_EMIT said(done);
          if (isEnding) ending_.insert(job);
        } else {
          Q_EMIT said(tr("%1: nothing was done").arg(job));  // in place of what was being done
          Q_EMIT failed(result.error());
        }
        refresh();
      },
      threadsOfJobs());
}

void JobDesk::startWith(const QString& job, std::function<Expected<void>(const std::filesystem::path&)> what) {
  if (isStarting(job)) return;
  starting_.insert(job);
  Q_EMIT said(tr("Starting %1 …").arg(job));
  act(job, tr("%1 is started").arg(job), std::move(what));
}

void JobDesk::start(const QString& job) {
  startWith(job, [program = program_](const std::filesystem::path& folder) -> Expected<void> {
    NATSCOPE_TRY(const auto runner, jobs::runner_of(folder, {program, {}}));
    return runner->start(folder);
  });
}

void JobDesk::startOn(const QString& job, jobs::RunnerKind runner) {
  startWith(job, [runner, program = program_](const std::filesystem::path& folder) {
    return jobs::make_runner(runner, {program, {}})->start(folder);
  });
}

void JobDesk::stop(const QString& job, jobs::StopMode mode) {
  act(
      job, tr("%1 ends after the step in work").arg(job),
      [mode](const std::filesystem::path& folder) -> Expected<void> {
        NATSCOPE_TRY(const auto runner, jobs::runner_of(folder));
        NATSCOPE_TRY(const auto status, runner->observe(folder));
        // A job that waits in a queue has no step to finish.
        if (status.state == jobs::JobState::queued) return runner->cancel(folder);
        return jobs::request_stop(folder, mode);
      },
      true);
}

void JobDesk::cancel(const QString& job) {
  act(job, tr("%1 is ended; its newest checkpoint stays").arg(job),
      [](const std::filesystem::path& folder) -> Expected<void> {
        NATSCOPE_TRY(const auto runner, jobs::runner_of(folder));
        return runner->cancel(folder);
      });
}

void JobDesk::remove(const QString& job) {
  act(job, tr("%1 is deleted").arg(job),
      [store = jobs::JobStore(root_)](const std::filesystem::path& folder) -> Expected<void> {
        NATSCOPE_TRY(const auto runner, jobs::runner_of(folder));
        // The cluster's word, where there is one: a queued job must not lose its folder.
        if (const auto status = runner->observe(folder); status && jobs::is_active(status->state)) {
          return fail(ErrorCode::bad_job, "the job is at work and cannot be deleted", "stop it first");
        }
        return store.remove(folder.filename().string());
      });
}

void JobDesk::openCheckpoint(const QString& job, bool isBeside) {
  Q_EMIT said(tr("Writing the newest checkpoint of %1 as a model …").arg(job));
  runCli(
      {QStringLiteral("jobs"), QStringLiteral("export"), job, QStringLiteral("--json")}, this,
      [this, isBeside](bool ok, const QString& out, const QString& problem) {
        const QString model = QJsonDocument::fromJson(out.toUtf8()).object().value(QStringLiteral("model")).toString();
        if (!ok) {
          Q_EMIT failed(make_error(ErrorCode::bad_checkpoint, problem.toStdString(), "wait for the first checkpoint"));
          return;
        }
        if (model.isEmpty()) {
          Q_EMIT failed(make_error(ErrorCode::internal, program().toStdString() + " did not say where the model is",
                                   "use the natscope-cli that came with this window"));
          return;
        }
        Q_EMIT said(tr("Opening %1").arg(model));
        Q_EMIT checkpointReady(model, isBeside);
      });
}

void JobDesk::runCli(const QStringList& arguments, QObject* context, Answer answer) {
  auto* const process = new QProcess;
  auto environment = QProcessEnvironment::systemEnvironment();
  environment.insert(QStringLiteral("NATSCOPE_JOBS"), QString::fromStdString(root_.string()));
  process->setProcessEnvironment(environment);
  process->setStandardInputFile(QProcess::nullDevice());
  const auto end = [process, answer = std::move(answer), owner = QPointer<QObject>(context),
                    desk = QPointer<JobDesk>(this)](bool ok, const QString& problem) {
    if (owner) answer(ok, QString::fromUtf8(process->readAllStandardOutput()), problem);
    if (desk) desk->refresh();
    process->deleteLater();
  };
  connect(process, &QProcess::errorOccurred, process, [process, end](QProcess::ProcessError error) {
    if (error == QProcess::FailedToStart) end(false, tr("%1 cannot be started").arg(process->program()));
  });
  connect(process, &QProcess::finished, process, [process, end](int code, QProcess::ExitStatus status) {
    const bool ok = status == QProcess::NormalExit && code == 0;
    end(ok, ok ? QString() : problemOf(process->readAllStandardError()));
  });
  process->start(program(), arguments);
}

}  // namespace natscope::ui
