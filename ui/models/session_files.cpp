// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/session_files.h"

#include <filesystem>

#include "ui/models/elsewhere.h"

namespace natscope::ui {
namespace {

std::filesystem::path pathOf(const QString& path) { return path.toStdString(); }

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
