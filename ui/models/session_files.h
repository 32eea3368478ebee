// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <functional>

#include "core/base/error.h"
#include "core/session/session_file.h"
#include "ui/models/recording.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// Reads and writes session files, and reads traces, on another thread, so that the window never waits for a disk. What
/// is read counts only if nothing newer was asked for meanwhile (Workbench::beginReading).
class SessionFiles : public QObject {
  Q_OBJECT

 public:
  explicit SessionFiles(Workbench& workbench, QObject* parent = nullptr);

  /// Ends with `written`, and `then` is called after it, or with `failed`. Errors: those of write_session.
  void write(const QString& path, Session session, std::function<void()> then = {});
  /// A session or a trace, whichever the file says it is. Ends with `opened`, `recordingOpened` or `failed`, or with
  /// nothing where something newer was asked for. Errors: those of recorded_format, read_session and Recording::open.
  void open(const QString& path);

 Q_SIGNALS:
  void written(const QString& path);
  void opened(const QString& path, const natscope::Session& session);
  void recordingOpened(const std::shared_ptr<const natscope::ui::Recording>& recording);
  void failed(const natscope::Error& error);

 private:
  Workbench& workbench_;
};

}  // namespace natscope::ui
