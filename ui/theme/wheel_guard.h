// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

class QApplication;

namespace natscope::ui {

/// Lets the wheel turn a box of choices or a number only while that field has the keyboard. Under a pointer that merely
/// passes, the wheel is whose it would be without the field: what is scrolled stays what it says.
class WheelGuard : public QObject {
 public:
  using QObject::QObject;
  /// For all fields of the program; belongs to it. Another call changes nothing.
  static void install(QApplication& application);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
};

}  // namespace natscope::ui
