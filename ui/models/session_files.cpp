// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/session_files.h"

#include <filesystem>
#include <variant>

#include "ui/models/elsewhere.h"
#include "ui/models/file_reading.h"

namespace natscope::ui {
namespace {

using ReadFile = std::variant<Session, std::shared_ptr<const Recording>>;

Expected<ReadFile> readFile(const std::filesystem::path& path, const ModelAtHand& model) {
  NATSCOPE_TRY(const std::string format, recorded_format(path));
  if (format == "natscope-trace") {
    NATSCOPE_TRY(auto recording, Recording::open(path, model));
    return Expected<ReadFile>(std::move(recording));
  }
  // A file of another kind gets the session reader's word on what is missing.
  NATSCOPE_TRY(Session session, read_session(path));
  return Expected<ReadFile>(std::move(session));
}

std::filesystem::path pathOf(const QString& path) { return path.toStdString(); }

}  // namespace

SessionFiles::SessionFiles(Workbench& workbench, QObject* parent) : QObject(parent), workbench_(workbench) {}

void SessionFiles::write(const QString& path, Session session, std::function<void()> then) {
  elsewhere(
      this, [path, session = std::move(session)] { return write_session(pathOf(path), session); },
      [this, path, then = std::move(then)](const Expected<void>& result) {
        if (!result) return Q_EMIT failed(result.error());
        Q_EMIT written(path);
        if (then) then();
      });
}

void SessionFiles::open(const QString& path) {
  readElsewhere(
      this, workbench_, path, [path, model = workbench_.modelAtHand()] { return readFile(pathOf(path), model); },
      [this, path](const Expected<ReadFile>& result) {
        if (!result) {
          Q_EMIT failed(result.error());
        } else if (const auto* session = std::get_if<Session>(&*result)) {
          Q_EMIT opened(path, *session);
        } else {
          Q_EMIT recordingOpened(std::get<std::shared_ptr<const Recording>>(*result));
        }
      });
}

}  // namespace natscope::ui
