// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QProcess>
#include <QString>
#include <QStringList>

#include "core/protocol/framing.h"
#include "core/protocol/messages.h"

namespace natscope::ui {

/// One engine process and the frames that go in and out. Never waits. Once it has ended it is of no more use.
class EngineProcess : public QObject {
  Q_OBJECT

 public:
  explicit EngineProcess(QObject* parent);
  ~EngineProcess() override;  ///< the process is killed when it still runs

  /// Program and arguments, no shell. Answers with started() or ended().
  void start(const QStringList& commandLine);

  /// Errors: protocol_error (a message that is too large). Sending to a process that has ended does nothing.
  Expected<void> send(const Envelope& envelope);

  /// Says bye, closes its input, and kills it when it has not ended soon.
  void sayBye();
  void kill();

  [[nodiscard]] qint64 processId() const { return process_.processId(); }

 Q_SIGNALS:
  void started();
  void arrived(const natscope::Envelope& envelope);
  /// The last signal: why it is no longer there. `couldStart` is false when there is no such program.
  void ended(const QString& reason, bool couldStart);
  void logLine(const QString& line);

 private:
  /// Takes in what has come: all, or as much as there is time for before a screen is due, and the rest soon.
  void readFrames(bool all = false);
  void readLog();
  void sayLogLine(const QByteArray& line);
  void breakOff(const Error& error);
  void reportEnd(const QString& reason, bool couldStart);

  QProcess process_;
  FrameReader reader_;
  QByteArray log_;       // of stderr, after its last line break
  QString brokenFrame_;  // what was wrong with what it said
  QString lastLogLine_;
  bool hasEnded_ = false;
};

}  // namespace natscope::ui
