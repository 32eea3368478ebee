// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include "ui/models/workbench.h"

namespace natscope::ui {

/// A bar that stands over the window while something is shown that the open model did not make, and says what that
/// means: a recording (which file, what it holds), or another model's run. With the way back to the model, or to that
/// one.
class RecordingBar : public QWidget {
  Q_OBJECT

 public:
  explicit RecordingBar(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] QString text() const { return words_->text(); }
  [[nodiscard]] QToolButton& leave() { return *leave_; }
  /// To the previous run, where the other button opens a model.
  [[nodiscard]] QToolButton& back() { return *back_; }

 private:
  void refresh();
  void sayRecording(const Recording& recording);
  void sayOtherModel();
  void goBack();

  Workbench& workbench_;
  QLabel* words_;
  QToolButton* leave_;
  QToolButton* back_;
};

}  // namespace natscope::ui
