// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/scrolled_area.h"

#include <QDialog>
#include <QEvent>
#include <QScreen>
#include <QScrollBar>
#include <algorithm>

namespace natscope::ui {
namespace {

/// What a desktop puts round a window: its frame and title, and a little air.
constexpr QSize screenMargin(16, 48);

}  // namespace

ScrolledArea::ScrolledArea(QWidget* content, int leastHeight, QWidget* parent)
    : QScrollArea(parent), leastHeight_(leastHeight) {
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setWidgetResizable(true);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
  setFocusPolicy(Qt::NoFocus);  // its fields have it
  setWidget(content);
  // The ground of whatever it stands on.
  content->setAutoFillBackground(false);
  viewport()->setAutoFillBackground(false);
}

QSize ScrolledArea::sizeHint() const {
  return widget()->sizeHint() + QSize(verticalScrollBar()->sizeHint().width(), 0);
}

QSize ScrolledArea::minimumSizeHint() const {
  const QSize least = widget()->minimumSizeHint();
  return {least.width() + verticalScrollBar()->sizeHint().width(), std::min(leastHeight_, least.height())};
}

bool ScrolledArea::eventFilter(QObject* watched, QEvent* event) {
  // Fields that come and go make the content higher or lower.
  if (watched == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
  return QScrollArea::eventFilter(watched, event);
}

void fitToScreen(QDialog& dialog) {
  const QSize most = dialog.screen()->availableSize() - screenMargin;
  dialog.resize(dialog.sizeHint().boundedTo(most));
}

}  // namespace natscope::ui
