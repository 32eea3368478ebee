// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/key_guard.h"

#include <QApplication>
#include <QComboBox>
#include <QKeyEvent>
#include <QStyleHints>

namespace natscope::ui {

void KeyGuard::install(QApplication& application) {
  const QString name = QStringLiteral("keyGuard");
  if (application.findChild<QObject*>(name, Qt::FindDirectChildrenOnly) != nullptr) return;
  auto* const guard = new KeyGuard(&application);
  guard->setObjectName(name);
  application.installEventFilter(guard);
}

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
