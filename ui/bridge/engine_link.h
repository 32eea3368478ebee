// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QString>
#include <QStringList>
#include <QTimer>
#include <cstdint>
#include <vector>

#include "core/protocol/messages.h"
#include "ui/bridge/engine_process.h"

namespace natscope::ui {

/// Keeps one engine process at hand: starts it, exchanges hellos, and starts another when it dies, at once and then
/// after longer and longer pauses while they keep dying. Does not interpret messages.
class EngineLink : public QObject {
  Q_OBJECT

 public:
  explicit EngineLink(QObject* parent = nullptr);
  ~EngineLink() override;  ///< says bye

  /// Program and arguments; takes effect at the next start. Empty: natscope-engine beside this program.
  void setCommandLine(const QStringList& commandLine);
  [[nodiscard]] QStringList commandLine() const { return commandLine_; }

  void start();     ///< starts a process, unless there is one
  void shutdown();  ///< lets go of it, and starts no other
  void restart();   ///< another one in its place, with the present command line
  /// The next one comes now where it was to come after a pause, and earlier deaths are forgotten.
  void hurry();
  /// Ends a process that contradicts itself, in what: lost() comes before this returns. The next one comes as ever.
  void distrust(const QString& what);

  [[nodiscard]] bool hasProcess() const { return process_ != nullptr; }
  /// Whether hello has come, and the process has not ended since.
  [[nodiscard]] bool isReady() const { return hasHello_; }
  /// Whether the next engine comes by itself.
  [[nodiscard]] bool isComingBack() const { return restartTimer_.isActive(); }
  [[nodiscard]] qint64 processId() const { return process_ != nullptr ? process_->processId() : 0; }

  /// The id of the next question: an answer may come before ask() has returned.
  [[nodiscard]] std::uint64_t nextId() const { return nextId_; }
  /// Sends it now, or once hello has come: behind what is asked while greeted() is delivered. Returns its id.
  std::uint64_t ask(Message message, std::uint64_t generation);

 Q_SIGNALS:
  void starting();
  void greeted();
  void ready(const QString& program);  ///< what waited is on its way, too; what it calls itself
  void arrived(const natscope::Envelope& envelope);
  /// What was asked is no message that can be sent. Never comes before ask() has returned.
  void notSent(const natscope::Envelope& asked, const natscope::Error& error);
  /// There is no engine any more, and what it was asked is forgotten.
  void lost(const QString& reason);
  void logLine(const QString& line);

 private:
  void startProcess();
  void retire();
  void receive(const Envelope& envelope);
  void processEnded(const QString& reason, bool couldStart);
  void send(const Envelope& envelope);

  QStringList commandLine_;
  EngineProcess* process_ = nullptr;  // owned by this object
  bool isWanted_ = false;             // between start() and shutdown()
  bool hasHello_ = false;
  std::vector<Envelope> beforeHello_;
  std::uint64_t nextId_ = 1;
  int deaths_ = 0;     // in a row, without a long life between them
  QElapsedTimer age_;  // of the process
  QTimer restartTimer_;
};

}  // namespace natscope::ui
