// SPDX-License-Identifier: GPL-3.0-or-later
// The window's docks: where they lie on the first day, and what brings one to the front.
#include <QAction>
#include <QDockWidget>
#include <QGuiApplication>
#include <QLayout>
#include <QScreen>
#include <QTableView>
#include <algorithm>

#include "ui/main_window.h"
#include "ui/panels/token_panel.h"

namespace natscope::ui {
namespace {

/// Of the window, what a torn-off dock may cover when the program begins; and what of the screen's width and height it
/// then gets.
constexpr double mostCovered = 0.6;
constexpr double floatingShare = 0.6;

/// The docks of the first day, as drawn for a window of 1560 x 980 (DockSizes::want).
QMap<QString, QRect> firstSizes() {
  return {{QStringLiteral("prompt"), {0, 0, 240, 690}},    {QStringLiteral("text"), {245, 0, 590, 355}},
          {QStringLiteral("roles"), {245, 360, 590, 330}}, {QStringLiteral("attention"), {840, 0, 720, 470}},
          {QStringLiteral("token"), {840, 475, 720, 215}}, {QStringLiteral("cache"), {0, 720, 1560, 176}}};
}

/// A dock that was torn off has the keyboard only while its window is the active one, and so has the main window.
void giveKeyboard(QWidget& view) {
  view.window()->activateWindow();
  view.setFocus(Qt::ShortcutFocusReason);
}

}  // namespace

QDockWidget* MainWindow::addDock(const QString& name, const QString& title, QWidget* content) {
  auto* const dock = new QDockWidget(QString(title).remove(u'&'), this);
  dock->toggleViewAction()->setText(title);
  dock->setObjectName(name);
  dock->setWidget(content);
  docks_.insert(name, dock);
  // Qt only moves a dock behind another one out of sight: its fields stay visible to it, and Tab would go there. Their
  // room stays as it was, or the docks round it would move.
  QSizePolicy kept = content->sizePolicy();
  kept.setRetainSizeWhenHidden(true);
  content->setSizePolicy(kept);
  connect(dock, &QDockWidget::visibilityChanged, content,
          [dock, content](bool isSeen) { content->setVisible(isSeen || dock->isFloating()); });
  connect(dock, &QDockWidget::topLevelChanged, content, [content](bool) { content->show(); });
  return dock;
}

void MainWindow::makeDocks() {
  addDock(QStringLiteral("prompt"), tr("&Prompt"), prompt_);
  addDock(QStringLiteral("text"), tr("&Text"), text_);
  addDock(QStringLiteral("roles"), tr("&Roles"), roles_);
  addDock(QStringLiteral("attention"), tr("&Attention"), attention_);
  addDock(QStringLiteral("token"), tr("T&oken"), new TokenPanel(workbench_, comparison_, this));
  addDock(QStringLiteral("cache"), tr("KV &cache"), cache_);
  addDock(QStringLiteral("runs"), tr("R&uns"), runs_);
  addDock(QStringLiteral("heads"), tr("&Heads"), heads_);
  addDock(QStringLiteral("vocabulary"), tr("&Vocabulary"), vocabulary_);
  addDock(QStringLiteral("overview"), tr("A&ll heads"), overview_);
  addDock(QStringLiteral("jobs"), tr("&Jobs"), jobs_);
  addDock(QStringLiteral("log"), tr("Lo&g"), log_);
  // When all docks lie where they will.
  connect(docks_.value(QStringLiteral("cache")), &QDockWidget::visibilityChanged, this, [this](bool isSeen) {
    if (isSeen)
      QMetaObject::invokeMethod(
          this, [this] { sizes_.giveBack(); }, Qt::QueuedConnection);
  });
}

void MainWindow::placeDocks() {
  const auto dock = [this](const char* name) { return docks_.value(QLatin1String(name)); };
  addDockWidget(Qt::TopDockWidgetArea, dock("prompt"));
  splitDockWidget(dock("prompt"), dock("text"), Qt::Horizontal);
  splitDockWidget(dock("text"), dock("attention"), Qt::Horizontal);
  splitDockWidget(dock("text"), dock("roles"), Qt::Vertical);
  splitDockWidget(dock("attention"), dock("token"), Qt::Vertical);
  addDockWidget(Qt::BottomDockWidgetArea, dock("cache"));
  tabifyDockWidget(dock("cache"), dock("runs"));
  tabifyDockWidget(dock("runs"), dock("heads"));
  tabifyDockWidget(dock("heads"), dock("vocabulary"));
  tabifyDockWidget(dock("vocabulary"), dock("jobs"));
  tabifyDockWidget(dock("jobs"), dock("log"));
  dock("cache")->raise();
  // All maps need as much room as one.
  tabifyDockWidget(dock("attention"), dock("overview"));
  dock("attention")->raise();
  // Room goes to what shows the text: a larger form or a higher chart of the cache says no more than a small one.
  sizes_.setStretch(dock("prompt"), {0, 1});
  sizes_.setStretch(dock("token"), {1, 0.25});
  for (const char* const low : {"cache", "runs", "heads", "vocabulary", "jobs", "log"})
    sizes_.setStretch(dock(low), {1, 0.25});
  sizes_.want(firstSizes());
}

void MainWindow::arrangeDocks() {
  // Out of sight: else the window would grow on the way there, to what the docks need side by side.
  for (QDockWidget* const each : docks_) {
    each->setFloating(false);
    each->hide();
  }
  placeDocks();
  for (QDockWidget* const each : docks_) each->show();
  for (const char* const front : {"cache", "attention"}) docks_.value(QLatin1String(front))->raise();
  layout()->activate();
  sizes_.want(firstSizes());
  sizes_.settleAnew();
}

void MainWindow::boundFloatingDocks() {
  for (QDockWidget* const dock : docks_) {
    const QRect covered = dock->geometry() & geometry();
    const double share = static_cast<double>(covered.width()) * covered.height() / (width() * height());
    if (!dock->isFloating() || share < mostCovered) continue;
    const QScreen* const at = QGuiApplication::screenAt(dock->geometry().center());
    const QRect room = (at != nullptr ? at : screen())->availableGeometry();
    QRect place(dock->pos(), dock->size().boundedTo((room.size().toSizeF() * floatingShare).toSize()));
    place.moveBottomRight(room.bottomRight());  // off the menus
    dock->setGeometry(place);
  }
}

void MainWindow::showHeads() {
  raiseDock(QStringLiteral("heads"));
  giveKeyboard(heads_->table());
}

void MainWindow::showRuns() {
  raiseDock(QStringLiteral("runs"));
  giveKeyboard(runs_->table());
}

void MainWindow::runBaselines() {
  raiseDock(QStringLiteral("runs"));
  constexpr double usualBudget = 0.25;
  const double own = baselines_.ownBudget();
  if (baselines_.canBegin() && own >= 1) {
    notice(tr("This run holds everything, so the baselines hold a quarter; other shares are in the Runs tab."));
  } else if (baselines_.canBegin() && !baselines_.isOfPromptAlone()) {
    notice(tr("The baselines match the cache size after the prompt; generated text is not compared."));
  }
  baselines_.begin(own < 1 ? own : usualBudget);
}

void MainWindow::showVocabulary() {
  raiseDock(QStringLiteral("vocabulary"));
  giveKeyboard(vocabulary_->table());
}

void MainWindow::showOverview() {
  bringToFront(QStringLiteral("overview"));
  giveKeyboard(overview_->grid());
}

void MainWindow::showAttention() {
  bringToFront(QStringLiteral("attention"));
  giveKeyboard(attention_->map());
}

void MainWindow::showJobs() {
  raiseDock(QStringLiteral("jobs"));
  giveKeyboard(jobs_->firstStop());
}

QDockWidget* MainWindow::bringToFront(const QString& name) {
  QDockWidget* const dock = docks_.value(name);
  dock->show();
  dock->raise();
  return dock;
}

void MainWindow::raiseDock(const QString& name) {
  QDockWidget* const dock = bringToFront(name);
  const int roomForRows = std::clamp(height() / 3, 230, 340);
  if (dock->isFloating()) return;
  if (dock->height() >= roomForRows) return;
  // One call takes the room of a neighbour alone, and is not over with it: once it is reached, nothing grows any more.
  for (int last = 0; dock->height() < roomForRows && dock->height() != last;) {
    last = dock->height();
    resizeDocks({dock}, {roomForRows}, Qt::Vertical);
    layout()->activate();
  }
  sizes_.lend();
}

void MainWindow::beginSearch() {
  bringToFront(QStringLiteral("text"))->window()->activateWindow();
  text_->beginSearch();
}

void MainWindow::beginFollowUp() {
  bringToFront(QStringLiteral("text"))->window()->activateWindow();
  text_->followUp().begin();
}

void MainWindow::findToken(std::int32_t token, const QString& name) {
  bringToFront(QStringLiteral("text"));
  text_->findToken(token, name);
}

}  // namespace natscope::ui
