// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QScrollArea>

class QDialog;

namespace natscope::ui {

/// Content that is as high as it wants to be where there is room, and is scrolled where there is less. It is never cut
/// across. What gets the keyboard comes into sight.
class ScrolledArea : public QScrollArea {
  Q_OBJECT

 public:
  /// Takes `content`. `leastHeight`: what of it is always seen, in logical pixels.
  explicit ScrolledArea(QWidget* content, int leastHeight, QWidget* parent = nullptr);

  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  int leastHeight_;
};

/// Makes a dialog as large as it wants to be, and no larger than the screen that it appears on.
void fitToScreen(QDialog& dialog);

}  // namespace natscope::ui
