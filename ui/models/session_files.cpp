// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/session_files.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>
#include <filesystem>
#include <memory>

namespace natscope::ui {
namespace {

std::filesystem::path pathOf(const QString& path) { return path.toStdString(); }

/// Does `work` on another thread and gives what came of it to `then`, on the program's own, if `owner` still lives.
template <class Work, class Then>
void elsewhere(SessionFiles* owner, Work work, Then then) {
  QThreadPool::globalInstance()->start([self = QPointer<SessionFiles>(owner), work = std::move(work), then]() mutable {
    auto result = std::make_shared<decltype(work())>(work());
    QMetaObject::invokeMethod(QCoreApplication::instance(), [self, result, then] {
      if (self) then(*result);
    });
  });
}

}  // namespace

SessionFiles::SessionFiles(QObject* parent) : QObject(parent) {}

void SessionFiles::write(const QString& path, Session session) {
  elsewhere(
      this, [path, session = std::move(session)] { return write_session(pathOf(path), session); },
      [this, path](const Expected<void>& result) {
        if (result) {
          Q_EMIT written(path);
        } else {
          Q_EMIT failed(result.error());
        }
      });
}

void SessionFiles::open(const QString& path) {
  elsewhere(
      this, [path] { return read_session(pathOf(path)); },
      [this, path](const Expected<Session>& result) {
        if (result) {
          Q_EMIT opened(path, *result);
        } else {
          Q_EMIT failed(result.error());
        }
      });
}

}  // namespace natscope::ui
