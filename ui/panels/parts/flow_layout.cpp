// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/flow_layout.h"

#include <algorithm>

namespace natscope::ui {

FlowLayout::~FlowLayout() { qDeleteAll(items_); }

QLayoutItem* FlowLayout::takeAt(int index) {
  return index >= 0 && index < items_.size() ? items_.takeAt(index) : nullptr;
}

int FlowLayout::heightForWidth(int width) const { return place(QRect(0, 0, width, 0), true); }

QSize FlowLayout::sizeHint() const {
  int width = 0;
  for (const QLayoutItem* const item : items_) {
    if (!item->isEmpty()) width += item->sizeHint().width() + (width > 0 ? spacing() : 0);
  }
  const QMargins edges = contentsMargins();
  return {width + edges.left() + edges.right(), heightForWidth(width + edges.left() + edges.right())};
}

QSize FlowLayout::minimumSize() const {
  QSize size;
  for (const QLayoutItem* const item : items_) {
    if (!item->isEmpty()) size = size.expandedTo(item->sizeHint());
  }
  const QMargins edges = contentsMargins();
  return size + QSize(edges.left() + edges.right(), edges.top() + edges.bottom());
}

void FlowLayout::setGeometry(const QRect& area) {
  QLayout::setGeometry(area);
  place(area, false);
}

int FlowLayout::place(const QRect& area, bool isMeasured) const {
  const QRect inner = area.marginsRemoved(contentsMargins());
  int y = inner.top();
  for (qsizetype first = 0; first < items_.size();) {
    // One row: as many as there is room for, and one at least.
    int x = inner.left();
    int height = 0;
    qsizetype end = first;
    for (; end < items_.size(); ++end) {
      if (items_[end]->isEmpty()) continue;
      const QSize size = items_[end]->sizeHint();
      if (x > inner.left() && x + size.width() > inner.left() + inner.width()) break;
      x += size.width() + spacing();
      height = std::max(height, size.height());
    }
    x = inner.left();
    for (qsizetype i = first; i < end && !isMeasured; ++i) {
      if (items_[i]->isEmpty()) continue;
      const QSize size = items_[i]->sizeHint();
      items_[i]->setGeometry(QRect(QPoint(x, y + (height - size.height()) / 2), size));
      x += size.width() + spacing();
    }
    y += height + (end < items_.size() ? spacing() : 0);
    first = end;
  }
  const QMargins edges = contentsMargins();
  return y - inner.top() + edges.top() + edges.bottom();
}

}  // namespace natscope::ui
