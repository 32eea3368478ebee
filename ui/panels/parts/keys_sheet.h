// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

namespace natscope::ui {

/// The list of keys that `?` shows: the window's actions with theirs, as they are, then what mouse and keys do in the
/// views, which is written down in the .cpp and must be kept as the views are.
class KeysSheet : public QDialog {
  Q_OBJECT

 public:
  explicit KeysSheet(const QList<QAction*>& actions, QWidget* parent = nullptr);
};

}  // namespace natscope::ui
