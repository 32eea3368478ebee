// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/key_guard.h"

#include <QApplication>
#include <QComboBox>
#include <QKeyEvent>
#include <QStyleHints>

#include "ui/theme/guard_program.h"

namespace natscope::ui {

void KeyGuard::install(QApplication& application) { guardProgram<KeyGuard>(application); }

/// As QComboBox reads it: letters that follow each other soon are one word.
bool KeyGuard::isTypedInto(QComboBox& box, const QKeyEvent& key) {
  const QString letters = key.text();
  if (box.isEditable() || letters.isEmpty() || !letters.front().isPrint()) return false;
  const bool goesOn =
      typedInto_ == &box && !sinceTyped_.hasExpired(QGuiApplication::styleHints()->keyboardInputInterval());
  if (!goesOn && box.findText(letters, Qt::MatchStartsWith) < 0) return false;
  typedInto_ = &box;
  sinceTyped_.start();
  return true;
}

bool KeyGuard::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::ShortcutOverride || !watched->isWidgetType()) return false;
  const auto& key = *static_cast<QKeyEvent*>(event);
  if ((key.modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) != Qt::NoModifier) return false;
  auto* const box = qobject_cast<QComboBox*>(watched);
  if (QApplication::activePopupWidget() == nullptr && (box == nullptr || !isTypedInto(*box, key))) return false;
  event->accept();  // it comes again, as a key that is pressed
  return true;
}

}  // namespace natscope::ui
