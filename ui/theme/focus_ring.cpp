// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/focus_ring.h"

#include <QFocusEvent>
#include <QPainter>
#include <utility>

#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int thickness = 2;

bool isOfWindow(Qt::FocusReason reason) {
  return reason == Qt::ActiveWindowFocusReason || reason == Qt::PopupFocusReason;
}

}  // namespace

FocusRing::FocusRing(QWidget* around) : QWidget(around) {
  setAttribute(Qt::WA_TransparentForMouseEvents);
  setFocusPolicy(Qt::NoFocus);
  around->installEventFilter(this);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, this, qOverload<>(&QWidget::update));
  hide();
}

bool FocusRing::eventFilter(QObject* watched, QEvent* event) {
  switch (event->type()) {
    case QEvent::FocusIn: {
      // What got the keyboard while another window had it hears of that only when its own has it again.
      const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
      if (std::exchange(isAway_, false) && isOfWindow(reason) ? wasShown_ : reason != Qt::MouseFocusReason) lay();
      break;
    }
    case QEvent::FocusOut:
      wasShown_ = isVisible();
      isAway_ = isOfWindow(static_cast<QFocusEvent*>(event)->reason());
      hide();
      break;
    case QEvent::KeyPress:
      if (parentWidget()->hasFocus()) lay();
      break;
    case QEvent::Resize:
      if (isVisible()) lay();
      break;
    default:
      break;
  }
  return QWidget::eventFilter(watched, event);
}

void FocusRing::lay() {
  const QRect whole = parentWidget()->rect();
  setGeometry(whole);
  // Only the edge: what the view repaints inside is not painted twice.
  setMask(QRegion(whole) - QRegion(whole.adjusted(thickness, thickness, -thickness, -thickness)));
  raise();
  show();
}

void FocusRing::paintEvent(QPaintEvent*) { QPainter(this).fillRect(rect(), ThemeSwitch::instance().colours().accent); }

}  // namespace natscope::ui
