// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QToolBar>

#include "ui/models/workbench.h"

class QComboBox;
class QLabel;
class QMenu;
class QToolButton;

namespace natscope::ui {

/// The window's tool bar: model, device, what to run, and the numbers of the run.
class RunBar : public QToolBar {
  Q_OBJECT

 public:
  /// `modelMenu` is shown by the model button; the actions stand in the order given, the first one as the primary one.
  RunBar(Workbench& workbench, QMenu* modelMenu, const QList<QAction*>& runActions, QWidget* parent = nullptr);

  void setDevice(const QString& device);

 private:
  void refresh();
  void paintInTheme();

  Workbench& workbench_;
  QToolButton* model_;
  QComboBox* device_;
  QToolButton* primary_;
  QLabel* numbers_;
};

}  // namespace natscope::ui
