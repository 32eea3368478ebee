// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dock_sizes.h"

#include <QDataStream>
#include <QDockWidget>
#include <QIODevice>
#include <QLayout>
#include <QMainWindow>
#include <QTabBar>
#include <algorithm>
#include <utility>

namespace natscope::ui {
namespace {

constexpr int mostTries = 3;
constexpr int mostUnderTabs = 4;  // pixels between tabs and their dock
constexpr auto streamVersion = QDataStream::Qt_6_0;

QSize leastOf(const QDockWidget* dock) { return dock->minimumSizeHint().expandedTo(dock->minimumSize()); }

}  // namespace

void DockSizes::setStretch(QDockWidget* dock, QSizeF stretch) { stretches_.insert(dock, stretch); }

QList<DockSizes::Shown> DockSizes::shown() const {
  QList<Shown> docks;
  for (QDockWidget* const dock : window_.findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly)) {
    // A dock behind another one lies outside the window.
    if (dock->isFloating() || !dock->isVisible() || !window_.rect().intersects(dock->geometry())) continue;
    QString name = dock->objectName();
    QSize least = leastOf(dock);
    for (const QDockWidget* const other : window_.tabifiedDockWidgets(dock)) {
      name = std::min(name, other->objectName());
      least = least.expandedTo(leastOf(other));
    }
    docks.append({dock, {name, dock->geometry(), least, stretches_.value(dock, {1, 1})}});
  }
  return docks;
}

/// Qt counts the tabs of docks behind each other to their height when it is asked for one, though not where they lie.
int DockSizes::tabsOver(QDockWidget* dock) const {
  if (window_.tabifiedDockWidgets(dock).isEmpty()) return 0;
  for (const QTabBar* const tabs : window_.findChildren<QTabBar*>(Qt::FindDirectChildrenOnly)) {
    const QRect bar = tabs->geometry();
    const bool isOver = bar.left() >= dock->geometry().left() && bar.right() <= dock->geometry().right() &&
                        bar.top() < dock->geometry().top() && bar.bottom() >= dock->geometry().top() - mostUnderTabs;
    if (tabs->isVisible() && isOver) return dock->geometry().top() - bar.top();
  }
  return 0;
}

QList<DockBox> DockSizes::boxesOf(const QList<Shown>& docks) {
  QList<DockBox> boxes;
  for (const Shown& one : docks) boxes.append(one.box);
  return boxes;
}

void DockSizes::remember() {
  wanted_ = boxesOf(shown());
  beforeLoan_.clear();
  tried_.clear();
}

void DockSizes::lend() {
  const QList<DockBox> before = beforeLoan_.isEmpty() ? wanted_ : beforeLoan_;
  remember();
  beforeLoan_ = before;
}

void DockSizes::giveBack() {
  if (beforeLoan_.isEmpty()) return;
  wanted_ = std::exchange(beforeLoan_, {});
  settleAnew();
}

void DockSizes::want(const QMap<QString, QRect>& docks) {
  wanted_.clear();
  beforeLoan_.clear();
  for (auto dock = docks.begin(); dock != docks.end(); ++dock) {
    const auto* const widget = window_.findChild<QDockWidget*>(dock.key());
    wanted_.append({dock.key(), dock.value(), {}, stretches_.value(widget, {1, 1})});
  }
  tried_.clear();
}

void DockSizes::settle() {
  if (isSettling_ || !window_.isVisible()) return;
  const QList<Shown> now = shown();
  // Docks that lie over each other, where there is no room for all of them, are no arrangement that anybody made.
  if (now.isEmpty() || !divisionOf(boxesOf(now))) return;
  const std::optional<QList<QSize>> sizes = fittedSizes(wanted_, boxesOf(now));
  if (!sizes) return remember();
  QList<QRect> rects;
  QList<QDockWidget*> docks;
  QList<int> widths;
  QList<int> heights;
  bool isRight = true;
  for (qsizetype i = 0; i < now.size(); ++i) {
    isRight = isRight && now[i].box.rect.size() == sizes->at(i);
    rects.append(now[i].box.rect);
    docks.append(now[i].dock);
    widths.append(sizes->at(i).width());
    heights.append(sizes->at(i).height() + tabsOver(now[i].dock));
  }
  tries_ = tried_ == *sizes && triedAt_ == rects ? tries_ + 1 : 0;
  if (isRight || tries_ > mostTries) return;
  isSettling_ = true;
  window_.resizeDocks(docks, widths, Qt::Horizontal);
  window_.resizeDocks(docks, heights, Qt::Vertical);
  window_.layout()->activate();  // before anything is painted as Qt had it
  isSettling_ = false;
  tried_ = *sizes;
  triedAt_.clear();
  for (const Shown& one : shown()) triedAt_.append(one.box.rect);
}

void DockSizes::settleAnew() {
  tried_.clear();
  settle();
}

QByteArray DockSizes::save() const {
  QByteArray bytes;
  QDataStream stream(&bytes, QIODevice::WriteOnly);
  stream.setVersion(streamVersion);
  QMap<QString, QRect> docks;
  for (const DockBox& box : beforeLoan_.isEmpty() ? wanted_ : beforeLoan_) docks.insert(box.name, box.rect);
  stream << docks;
  return bytes;
}

void DockSizes::restore(const QByteArray& saved) {
  QDataStream stream(saved);
  stream.setVersion(streamVersion);
  QMap<QString, QRect> docks;
  stream >> docks;
  if (stream.status() == QDataStream::Ok && !docks.isEmpty()) want(docks);
}

}  // namespace natscope::ui
