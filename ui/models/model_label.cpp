// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/model_label.h"

#include <QCoreApplication>
#include <QDir>
#include <QStringList>

namespace natscope::ui {

QString modelLabel(const QString& folder) {
  const QStringList parts = QDir::cleanPath(folder).split(u'/', Qt::SkipEmptyParts);
  if (parts.isEmpty()) return {};
  const QString& name = parts.last();
  const qsizetype above = parts.size() - 2;
  bool isNumber = false;
  const qint64 step = name.startsWith(QStringLiteral("step-")) ? name.mid(5).toLongLong(&isNumber) : 0;
  if (isNumber && above >= 1 && parts[above] == QStringLiteral("exports")) {
    return QCoreApplication::translate("modelLabel", "%1, step %2").arg(parts[above - 1]).arg(step);
  }
  if (name == QStringLiteral("model") && above >= 0) return parts[above] + QStringLiteral("/model");
  return name;
}

}  // namespace natscope::ui
