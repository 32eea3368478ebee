// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/engine_link.h"

#include <QCoreApplication>
#include <algorithm>
#include <utility>

namespace natscope::ui {
namespace {

/// The first new engine comes at once; while engines keep dying the pauses double up to the longest.
constexpr int firstPauseMs = 250;
constexpr int longestPauseMs = 30'000;
/// One that lived this long did not die of how it was started.
constexpr qint64 longLifeMs = 20'000;

QStringList defaultCommandLine() {
  return {QCoreApplication::applicationDirPath() + QStringLiteral("/natscope-engine")};
}

}  // namespace

EngineLink::EngineLink(QObject* parent) : QObject(parent), commandLine_(defaultCommandLine()) {
  restartTimer_.setSingleShot(true);
  connect(&restartTimer_, &QTimer::timeout, this, [this] {
    if (isWanted_ && process_ == nullptr) startProcess();
  });
}

EngineLink::~EngineLink() {
  if (process_ == nullptr) return;
  process_->disconnect(this);
  process_->sayBye();
}

void EngineLink::setCommandLine(const QStringList& commandLine) {
  commandLine_ = commandLine.isEmpty() ? defaultCommandLine() : commandLine;
}

void EngineLink::start() {
  isWanted_ = true;
  if (process_ == nullptr) startProcess();
}

void EngineLink::shutdown() {
  isWanted_ = false;
  restartTimer_.stop();
  retire();
}

void EngineLink::restart() {
  isWanted_ = true;
  retire();
  deaths_ = 0;
  startProcess();
}

void EngineLink::hurry() {
  if (!restartTimer_.isActive()) return;
  deaths_ = 0;
  restartTimer_.start(0);
}

void EngineLink::distrust(const QString& what) {
  if (process_ == nullptr) return;
  process_->kill();
  processEnded(QStringLiteral("the engine contradicted itself: %1").arg(what), true);
}

std::uint64_t EngineLink::ask(Message message, std::uint64_t generation) {
  const std::uint64_t id = nextId_++;
  Envelope envelope{id, generation, std::move(message)};
  if (hasHello_) {
    send(envelope);
  } else {
    beforeHello_.push_back(std::move(envelope));
  }
  return id;
}

void EngineLink::send(const Envelope& envelope) {
  const auto sent = process_->send(envelope);
  if (sent) return;
  QTimer::singleShot(0, this, [this, envelope, error = sent.error()] { Q_EMIT notSent(envelope, error); });
}

void EngineLink::startProcess() {
  restartTimer_.stop();
  process_ = new EngineProcess(this);
  connect(process_, &EngineProcess::started, this, [this] { age_.start(); });
  connect(process_, &EngineProcess::arrived, this, &EngineLink::receive);
  connect(process_, &EngineProcess::ended, this, &EngineLink::processEnded);
  connect(process_, &EngineProcess::logLine, this, &EngineLink::logLine);
  age_.start();
  Q_EMIT starting();
  // It may fail at once, and its end be reported before start() returns.
  EngineProcess* const started = process_;
  started->start(commandLine_);
  if (process_ != started) return;
  (void)started->send({0, 0, HelloMessage{protocol_version, "natscope " NATSCOPE_VERSION}});
}

void EngineLink::retire() {
  if (process_ == nullptr) return;
  hasHello_ = false;
  beforeHello_.clear();
  EngineProcess* const old = std::exchange(process_, nullptr);
  old->disconnect(this);
  // It removes itself when it has ended; its destructor kills it when this object goes first.
  connect(old, &EngineProcess::ended, old, &QObject::deleteLater);
  old->sayBye();
}

void EngineLink::receive(const Envelope& envelope) {
  const auto* const hello = std::get_if<HelloMessage>(&envelope.message);
  if (hello == nullptr) return Q_EMIT arrived(envelope);
  if (hasHello_) return;
  if (hello->protocol != protocol_version) {
    isWanted_ = false;  // another one from the same program would say the same
    return distrust(
        QStringLiteral("it speaks protocol %1, this window speaks %2").arg(hello->protocol).arg(protocol_version));
  }
  hasHello_ = true;
  const std::vector<Envelope> waiting = std::exchange(beforeHello_, {});
  Q_EMIT greeted();
  for (const Envelope& asked : waiting) {
    if (!hasHello_) return;  // who was greeted let go of it
    send(asked);
  }
  Q_EMIT ready(QString::fromUtf8(hello->program.c_str()));
}

void EngineLink::processEnded(const QString& reason, bool couldStart) {
  deaths_ = age_.elapsed() > longLifeMs ? 1 : deaths_ + 1;
  EngineProcess* const old = std::exchange(process_, nullptr);
  old->disconnect(this);
  old->deleteLater();
  hasHello_ = false;
  beforeHello_.clear();
  if (isWanted_ && couldStart) {
    const int pause = deaths_ <= 1 ? 0 : std::min(longestPauseMs, firstPauseMs << std::min(deaths_ - 2, 10));
    restartTimer_.start(pause);
  }
  Q_EMIT lost(reason);
}

}  // namespace natscope::ui
