// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/engine_process.h"

#include <QElapsedTimer>
#include <QProcessEnvironment>
#include <QTimer>

namespace natscope::ui {
namespace {

/// How long an engine may take to end after a bye.
constexpr int byePatienceMs = 1500;

/// How long a turn of the event loop takes in what an engine says before it lets what is on screen go on.
constexpr qint64 longestTurnMs = 8;

/// A longer line of stderr becomes several.
constexpr qsizetype maxLogLine = 4096;

std::span<const std::uint8_t> bytesOf(const QByteArray& array) {
  return {reinterpret_cast<const std::uint8_t*>(array.constData()), static_cast<std::size_t>(array.size())};
}

/// An engine shares its cores with a window, a browser, a training job. Threads that spin while they wait for each
/// other then wait for the scheduler instead: measured on two busy cores, 440 ms a token against 1 ms.
QProcessEnvironment engineEnvironment() {
  QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
  const QString policy = QStringLiteral("OMP_WAIT_POLICY");
  if (!environment.contains(policy) && !environment.contains(QStringLiteral("GOMP_SPINCOUNT"))) {
    environment.insert(policy, QStringLiteral("passive"));
  }
  return environment;
}

QString endText(int exitCode, QProcess::ExitStatus status) {
  if (status == QProcess::CrashExit) return QStringLiteral("the engine was killed or crashed");
  return QStringLiteral("the engine ended with code %1").arg(exitCode);
}

}  // namespace

EngineProcess::EngineProcess(QObject* parent) : QObject(parent) {
  process_.setProcessChannelMode(QProcess::SeparateChannels);
  connect(&process_, &QProcess::started, this, &EngineProcess::started);
  connect(&process_, &QProcess::readyReadStandardOutput, this, [this] { readFrames(); });
  connect(&process_, &QProcess::readyReadStandardError, this, &EngineProcess::readLog);
  connect(&process_, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
    if (error == QProcess::FailedToStart) {
      reportEnd(QStringLiteral("“%1” cannot be started: %2").arg(process_.program(), process_.errorString()), false);
    }
  });
  connect(&process_, &QProcess::finished, this, [this](int exitCode, QProcess::ExitStatus status) {
    readFrames(true);
    readLog();
    if (!log_.isEmpty()) sayLogLine(std::exchange(log_, {}));  // its last words may have no line break
    QString reason = endText(exitCode, status);
    if (!lastLogLine_.isEmpty() && exitCode != 0) reason += QStringLiteral(" (%1)").arg(lastLogLine_);
    reportEnd(reason, true);
  });
}

EngineProcess::~EngineProcess() {
  process_.disconnect(this);
  if (process_.state() == QProcess::NotRunning) return;
  // The pipe is closed and the process killed; the wait is only for the system to take it away.
  process_.kill();
  process_.waitForFinished(500);
}

void EngineProcess::start(const QStringList& commandLine) {
  if (commandLine.isEmpty() || commandLine.first().isEmpty()) {
    QTimer::singleShot(0, this, [this] { reportEnd(QStringLiteral("the engine's command line is empty"), false); });
    return;
  }
  process_.setProcessEnvironment(engineEnvironment());
  process_.start(commandLine.first(), commandLine.mid(1), QIODevice::ReadWrite);
}

Expected<void> EngineProcess::send(const Envelope& envelope) {
  NATSCOPE_TRY(const auto payload, encode(envelope));
  NATSCOPE_TRY(const auto frame, frame_of(payload));
  if (process_.state() == QProcess::NotRunning) return {};
  process_.write(reinterpret_cast<const char*>(frame.data()), static_cast<qint64>(frame.size()));
  return {};
}

void EngineProcess::sayBye() {
  if (process_.state() == QProcess::NotRunning) return;
  (void)send({0, 0, ByeMessage{}});  // it may not have read hello yet: the closed input ends it, too
  process_.closeWriteChannel();
  QTimer::singleShot(byePatienceMs, this, &EngineProcess::kill);
}

void EngineProcess::kill() {
  if (process_.state() != QProcess::NotRunning) process_.kill();
}

void EngineProcess::readFrames(bool all) {
  reader_.feed(bytesOf(process_.readAllStandardOutput()));
  QElapsedTimer turn;
  turn.start();
  while (!hasEnded_ && brokenFrame_.isEmpty()) {
    if (!all && turn.elapsed() >= longestTurnMs) {
      QTimer::singleShot(0, this, [this] { readFrames(); });
      return;
    }
    auto payload = reader_.next();
    if (!payload) return breakOff(payload.error());
    if (!*payload) return;
    const auto envelope = decode(**payload);
    if (!envelope) return breakOff(envelope.error());
    Q_EMIT arrived(*envelope);
  }
}

void EngineProcess::readLog() {
  log_ += process_.readAllStandardError();
  while (true) {
    qsizetype end = log_.indexOf('\n');
    if (end < 0 && log_.size() < maxLogLine) return;
    const bool isWhole = end >= 0 && end <= maxLogLine;
    if (!isWhole) end = maxLogLine;
    const QByteArray line = log_.left(end);
    log_.remove(0, isWhole ? end + 1 : end);
    if (!line.isEmpty()) sayLogLine(line);
  }
}

void EngineProcess::sayLogLine(const QByteArray& line) {
  lastLogLine_ = QString::fromUtf8(line);
  Q_EMIT logLine(lastLogLine_);
}

void EngineProcess::breakOff(const Error& error) {
  brokenFrame_ = QString::fromUtf8(printable(error.message).c_str());
  process_.kill();
}

void EngineProcess::reportEnd(const QString& reason, bool couldStart) {
  if (hasEnded_) return;
  hasEnded_ = true;
  Q_EMIT ended(brokenFrame_.isEmpty()
                   ? reason
                   : QStringLiteral("the engine said something that is no message: %1").arg(brokenFrame_),
               couldStart);
}

}  // namespace natscope::ui
