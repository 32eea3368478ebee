// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"

class QCheckBox;
class QToolButton;

namespace natscope::ui {

class PromptEdit;

/// What the model is given behind the text that is shown: a field, and whether it is a turn of a conversation. Return
/// sends it, Shift+Return begins a line; what was read goes from the field (Ctrl+Z brings it back), what was refused
/// or typed since stays.
class FollowUpBar : public QWidget {
  Q_OBJECT

 public:
  explicit FollowUpBar(Workbench& workbench, QWidget* parent = nullptr);

  /// Whether the next one is a turn; only where the model has a chat template.
  void setChat(bool isTurn);
  /// How high the panel is that it stands in: the field grows with its text as far as the text above has room, and
  /// where that has little the bar is seen only while it is used, with the keyboard or a text in it.
  void setRoom(int height);
  /// Puts the cursor into the field.
  void begin();

 Q_SIGNALS:
  void fileDropped(const QString& path);  ///< on the field
  void refused(const QString& why);       ///< Return was pressed, and it cannot be sent now

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void send();
  void takeAway();
  /// Why nothing can be given to the model now; empty: it can.
  [[nodiscard]] QString whyNot() const;
  [[nodiscard]] bool isUsed() const;
  void refresh();
  void fitHeight();

  Workbench& workbench_;
  PromptEdit* field_;
  QCheckBox* chat_;
  QToolButton* send_;
  QString sent_;
  int room_ = 0;
};

}  // namespace natscope::ui
