// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace natscope::ui {

/// A frame round a view that draws itself, while the keyboard's arrows are the view's: after Tab or a shortcut, or once
/// a key was pressed in it. A click alone shows none, as it does in a browser.
///
///   new FocusRing(view);  // belongs to it, lies over its edge, takes no events
class FocusRing : public QWidget {
  Q_OBJECT

 public:
  explicit FocusRing(QWidget* around);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  void lay();

  bool wasShown_ = false;  // when the window lost the keyboard
  bool isAway_ = false;    // since then
};

}  // namespace natscope::ui
