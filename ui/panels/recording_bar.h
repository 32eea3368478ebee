// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include "ui/models/workbench.h"

namespace natscope::ui {

/// A bar that stands over the window while a recording is shown: that it is one, which file, what it holds, and the
/// way back to the model.
class RecordingBar : public QWidget {
  Q_OBJECT

 public:
  explicit RecordingBar(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] QString text() const { return words_->text(); }
  [[nodiscard]] QToolButton& leave() { return *leave_; }

 private:
  void refresh();

  Workbench& workbench_;
  QLabel* words_;
  QToolButton* leave_;
  const Recording* shown_ = nullptr;
};

}  // namespace natscope::ui
