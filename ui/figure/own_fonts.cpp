// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/own_fonts.h"

#include <QDir>
#include <QFontDatabase>
#include <utility>

#include "core/base/resource_path.h"

namespace natscope::ui {

void addOwnFonts() {
  static bool isDone = false;
  if (std::exchange(isDone, true)) return;
  const QDir folder(QString::fromStdString(resource_path("fonts").string()));
  for (const QString& file : folder.entryList({QStringLiteral("*.ttf")}, QDir::Files)) {
    QFontDatabase::addApplicationFont(folder.filePath(file));
  }
}

}  // namespace natscope::ui
