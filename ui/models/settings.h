// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QSettings>
#include <QString>
#include <QStringList>
#include <memory>

#include "core/export/colour_map.h"

namespace natscope::ui {

/// What the window remembers from one run to the next. Read and written at once; wrong values count as absent.
class Settings {
 public:
  /// The user's own settings, or those of a file (tests).
  explicit Settings(const QString& file = {});

  [[nodiscard]] Theme theme() const;
  void setTheme(Theme theme);

  /// Program and arguments; empty: the engine beside this program.
  [[nodiscard]] QStringList engineCommand() const;
  /// The same in one line, which QProcess::splitCommand takes apart again as it was.
  [[nodiscard]] QString engineCommandLine() const;
  void setEngineCommand(const QStringList& command);

  /// Model folders, the latest first, at most eight.
  [[nodiscard]] QStringList recentModels() const;
  void addRecentModel(const QString& folder);

  [[nodiscard]] QString device() const;  ///< "auto", "cpu" or "cuda"
  void setDevice(const QString& device);

  /// Where a file was last opened or written: dialogs begin there.
  [[nodiscard]] QString lastFolder() const;
  void setLastFolder(const QString& folder);

  /// Where a closed window leaves what it showed, a session file; nobody says that there is one.
  [[nodiscard]] QString lastRunPath() const;

  [[nodiscard]] QByteArray windowGeometry() const;
  [[nodiscard]] QByteArray windowState() const;
  void setWindow(const QByteArray& geometry, const QByteArray& state);

  /// Where the parts of a panel meet: QSplitter::saveState() of the splitter of this name.
  [[nodiscard]] QByteArray splitter(const QString& name) const;
  void setSplitter(const QString& name, const QByteArray& state);

 private:
  std::unique_ptr<QSettings> store_;
  QString lastRunPath_;
};

}  // namespace natscope::ui
