// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

namespace natscope::ui {

/// The list of keys that `?` shows. Built from the window's actions, so that it cannot be wrong about them.
class KeysSheet : public QDialog {
  Q_OBJECT

 public:
  explicit KeysSheet(const QList<QAction*>& actions, QWidget* parent = nullptr);
};

}  // namespace natscope::ui
