// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QPointer>

class QApplication;
class QComboBox;
class QKeyEvent;

namespace natscope::ui {

/// Keeps the window's single keys out of what is open over it and of a list of choices that has the keyboard: Escape
/// closes an open list and no more, and a letter goes to the entry that begins with it. Letters that begin none are the
/// window's still: whoever chose with the mouse has not gone there to type.
class KeyGuard : public QObject {
 public:
  using QObject::QObject;
  /// For all of the program; belongs to it. Another call changes nothing.
  static void install(QApplication& application);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  [[nodiscard]] bool isTypedInto(QComboBox& box, const QKeyEvent& key);

  QPointer<QComboBox> typedInto_;
  QElapsedTimer sinceTyped_;
};

}  // namespace natscope::ui
