// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

#include "core/base/error.h"
#include "core/session/session_file.h"

namespace natscope::ui {

/// Reads and writes session files on another thread, so that the window never waits for a disk.
class SessionFiles : public QObject {
  Q_OBJECT

 public:
  explicit SessionFiles(QObject* parent = nullptr);

  /// Ends with `written` or `failed`. Errors: those of write_session.
  void write(const QString& path, Session session);
  /// Ends with `opened` or `failed`. Errors: those of read_session.
  void open(const QString& path);

 Q_SIGNALS:
  void written(const QString& path);
  void opened(const QString& path, const natscope::Session& session);
  void failed(const natscope::Error& error);
};

}  // namespace natscope::ui
