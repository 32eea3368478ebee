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
  /// `modelMenu` is shown by the model button; the actions stand in the order given, the first one as the primary one,
  /// the last one as what ends the others. While a run lasts it has the keyboard that the button which began it had.
  RunBar(Workbench& workbench, QMenu* modelMenu, const QList<QAction*>& runActions, QWidget* parent = nullptr);

  void setDevice(const QString& device);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refresh();
  void sayNumbers();
  void moveFocus();

  Workbench& workbench_;
  QToolButton* model_;
  QComboBox* device_;
  QToolButton* primary_;
  QToolButton* stop_ = nullptr;
  QToolButton* began_ = nullptr;  // with the keyboard, a run that is not over
  QStringList facts_;
  QLabel* numbers_;
};

}  // namespace natscope::ui
