// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"

class QCheckBox;
class QToolButton;

namespace natscope::ui {

class PromptEdit;

/// What the model is given behind the text that is shown: a field, and whether it is a turn of a conversation. Return
/// sends it, Shift+Return begins a line; what was read goes from the field, what was refused stays.
class FollowUpBar : public QWidget {
  Q_OBJECT

 public:
  explicit FollowUpBar(Workbench& workbench, QWidget* parent = nullptr);

  /// Whether the next one is a turn; only where the model has a chat template.
  void setChat(bool isTurn);
  /// Puts the cursor into the field.
  void begin();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void send();
  void refresh();
  void fitHeight();

  Workbench& workbench_;
  PromptEdit* field_;
  QCheckBox* chat_;
  QToolButton* send_;
};

}  // namespace natscope::ui
