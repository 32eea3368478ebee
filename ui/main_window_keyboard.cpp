// SPDX-License-Identifier: GPL-3.0-or-later
// Where Tab goes in the window.
#include <QDockWidget>
#include <QHash>
#include <QSet>
#include <QTabBar>
#include <QTableView>
#include <algorithm>
#include <utility>

#include "ui/main_window.h"
#include "ui/panels/run_bar.h"

namespace natscope::ui {

namespace {

/// The line of a box or of a number, the bar of a tab widget: where they stand, the whole stands.
bool isPart(const QWidget& stop) {
  if (stop.focusProxy() != nullptr && stop.focusProxy()->isAncestorOf(&stop)) return true;
  for (const QWidget* up = stop.parentWidget(); up != nullptr; up = up->parentWidget()) {
    if (up->focusProxy() == &stop) return true;
  }
  return false;
}

}  // namespace

QList<QWidget*> MainWindow::views() const {
  QList<QWidget*> views{&attention_->map(), &overview_->grid(), &roles_->map(), &heads_->table(),
                        &vocabulary_->table()};
  views << text_->findChild<TokenTextView*>() << jobs_->findChild<QTableView*>();
  return views;
}

/// Where nobody has the keyboard, Tab goes on from whoever had it last rather than from the window's first field.
bool MainWindow::focusNextPrevChild(bool next) {
  return (focusWidget() == nullptr && prompt_->takeKeyboardAgain()) || QMainWindow::focusNextPrevChild(next);
}

/// Docks behind each other have tabs, which are reached as everything else is; arrows then bring another to the front.
void MainWindow::followTabs() {
  QStringList now;
  for (auto* const tabs : findChildren<QTabBar*>(Qt::FindDirectChildrenOnly)) {
    // The window makes them, or takes old ones again, with a line under the empty part.
    tabs->setDrawBase(false);
    tabs->setFocusPolicy(Qt::TabFocus);
    for (int i = 0; i < tabs->count(); ++i) now.append(tabs->tabText(i));
    now.append(QString());
  }
  if (std::exchange(dockTabs_, now) != now) orderTabs();
}

/// As one reads: along the tool bar, then dock by dock, in each its fields before the view that they are about. Else
/// Tab would come to them as they were made.
void MainWindow::orderTabs() {
  auto* const bar = findChild<RunBar*>();
  if (bar == nullptr) return;  // the window is still being made
  QList<QWidget*> parts{bar, errors_, recording_};
  // The tabs of docks behind each other stand before the first of them.
  QSet<const QTabBar*> placed;
  for (const char* const name : {"prompt", "text", "roles", "attention", "overview", "token", "cache", "runs", "heads",
                                 "vocabulary", "jobs", "log"}) {
    QDockWidget* const dock = docks_.value(QLatin1String(name));
    for (auto* const tabs : findChildren<QTabBar*>(Qt::FindDirectChildrenOnly)) {
      bool isOfDock = false;
      for (int i = 0; i < tabs->count(); ++i) isOfDock = isOfDock || tabs->tabText(i) == dock->windowTitle();
      if (!isOfDock || placed.contains(tabs)) continue;
      placed.insert(tabs);
      parts.append(tabs);
    }
    parts.append(dock);
  }
  QList<QWidget*> last = views();
  last.removeOne(jobs_->findChild<QTableView*>());  // it stands between its buttons and what is said of its jobs
  QHash<const QWidget*, QList<QWidget*>> stops;
  for (QWidget* stop = nextInFocusChain(); stop != this; stop = stop->nextInFocusChain()) {
    if (stop->focusPolicy() == Qt::NoFocus || isPart(*stop)) continue;
    for (QWidget* const part : parts) {
      if (part == stop || part->isAncestorOf(stop)) stops[part].append(stop);
    }
  }
  QWidget* before = nullptr;
  for (QWidget* const part : parts) {
    QList<QWidget*>& own = stops[part];
    std::stable_partition(own.begin(), own.end(), [&](QWidget* stop) { return !last.contains(stop); });
    for (QWidget* const stop : own) {
      if (before != nullptr) setTabOrder(before, stop);
      before = stop;
    }
  }
}

}  // namespace natscope::ui
