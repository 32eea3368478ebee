// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/wheel_guard.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QEvent>

#include "ui/theme/guard_program.h"

namespace natscope::ui {
namespace {

/// The field that a wheel over it would turn; null: none.
QWidget* turnedBy(QObject* watched) {
  QWidget* const number = qobject_cast<QAbstractSpinBox*>(watched);
  return number != nullptr ? number : qobject_cast<QComboBox*>(watched);
}

}  // namespace

void WheelGuard::install(QApplication& application) { guardProgram<WheelGuard>(application); }

bool WheelGuard::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::Wheel && event->type() != QEvent::Polish) return false;
  QWidget* const field = turnedBy(watched);
  if (field == nullptr) return false;
  if (event->type() == QEvent::Polish) {
    // Else the wheel itself would give it the keyboard.
    if (field->focusPolicy() == Qt::WheelFocus) field->setFocusPolicy(Qt::StrongFocus);
    return false;
  }
  if (field->hasFocus()) return false;
  event->ignore();  // it goes on to what the field stands in
  return true;
}

}  // namespace natscope::ui
