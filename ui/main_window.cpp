// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDialog>
#include <QDockWidget>
#include <QFile>
#include <QLayout>
#include <QMenuBar>
#include <QScreen>
#include <QSplitter>
#include <QStatusBar>
#include <QTimer>
#include <QToolBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "core/base/resource_path.h"
#include "ui/models/grouped_number.h"
#include "ui/panels/parts/facts_line.h"
#include "ui/panels/run_bar.h"
#include "ui/theme/focus_ring.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

/// Bump it when docks are added: an older arrangement is then not restored over them.
constexpr int arrangementVersion = 6;
constexpr qint64 largestSample = 1 << 20;
constexpr int noticeMs = 5000;
/// A restored arrangement that does not fit is laid out anew by Qt for a while, whatever was asked of it since.
constexpr int restoredMs = 400;

/// Under which the wanted sizes of docks are remembered, beside the places of splitters.
QString dockSizesName() { return QStringLiteral("dockSizes"); }

}  // namespace

QString demoModel() { return QString::fromStdString(demo_model_path().string()); }

QString sampleText() {
  QFile file(QString::fromStdString(resource_path("sample/looking-glass.txt").string()));
  return file.open(QIODevice::ReadOnly) ? QString::fromUtf8(file.read(largestSample)) : QString();
}

MainWindow::MainWindow(Settings& settings, const WindowStart& start, QWidget* parent)
    : QMainWindow(parent),
      settings_(settings),
      workbench_(settings),
      comparison_(workbench_),
      baselines_(workbench_, comparison_),
      export_(workbench_),
      sessions_(workbench_),
      desk_(jobs::default_jobs_folder(), start.jobProgram.toStdString()) {
  setWindowTitle(QStringLiteral("NAtScope"));
  setWindowIcon(programIcon());
  setAcceptDrops(true);
  // Not animated: where docks lie is where they stay.
  setDockOptions(QMainWindow::GroupedDragging | QMainWindow::AllowTabbedDocks | QMainWindow::AllowNestedDocks);
  setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
  layout()->setSizeConstraint(QLayout::SetNoConstraint);  // which is holdSize()'s
  resize(1560, 980);
  keepOnScreen();
  makePanels();
  makeActions();
  makeDocks();
  makeMenus();
  auto* const bar = new RunBar(workbench_, modelMenu_, {generate_, continue_, step_, stop_}, this);
  bar->setDevice(start.device.isEmpty() ? settings_.device() : start.device);
  addToolBar(bar);
  generateButton_ = qobject_cast<QToolButton*>(bar->widgetForAction(generate_));
  // A change of the action gives the button the action's icon again, which is one for a menu.
  connect(generate_, &QAction::changed, generateButton_, [this] { generateButton_->setIcon(generateIcon_); });
  statusBar()->setSizeGripEnabled(false);
  statusBar()->addPermanentWidget(new FactsLine(workbench_, this));
  connectPrompt();
  connectWorkbench();
  connectFollowUps();
  connectFiles();
  connectRuns();
  connectPanels();
  connectJobs();
  orderTabs();
  placeDocks();
  restoreGeometry(settings_.windowGeometry());
  keepOnScreen();
  if (restoreState(settings_.windowState(), arrangementVersion)) {
    sizes_.want({});
    sizes_.restore(settings_.splitter(dockSizesName()));
    boundFloatingDocks();
    QTimer::singleShot(restoredMs, this, [this] { sizes_.settleAnew(); });
  }
  for (QSplitter* const splitter : findChildren<QSplitter*>()) {
    if (!splitter->objectName().isEmpty()) splitter->restoreState(settings_.splitter(splitter->objectName()));
  }
  paintIcons();
  firstText_ = start.prompt.isEmpty() ? sampleText() : start.prompt;
  // A file that is refused is not answered with another text.
  const bool isFileFirst = !start.session.isEmpty();
  if (!isFileFirst) prompt_->setPrompt(firstText_);
  if (isFileFirst) workbench_.waitForFile();
  workbench_.setOptions(prompt_->options());
  workbench_.begin(start.engineCommand, start.model.isEmpty() ? demoModel() : start.model, start.device, start.context);
  if (isFileFirst) openPath(start.session);
  fillModelMenu();
  refresh();
}

MainWindow::~MainWindow() {
  // Panels, bars and dialogs look at models until they are gone, and tell them when they are hidden; models are
  // members, which would go first.
  hide();  // while every dock is there, and whoever has the keyboard can still be told that it is gone
  qDeleteAll(findChildren<QDialog*>(Qt::FindDirectChildrenOnly));
  qDeleteAll(findChildren<QToolBar*>(Qt::FindDirectChildrenOnly));
  qDeleteAll(std::exchange(docks_, {}));
  delete menuWidget();
  delete statusBar();
}

void MainWindow::keepOnScreen() {
  if (isMaximized() || isFullScreen()) return;
  const QScreen* const at = QGuiApplication::screenAt(geometry().center());
  const QRect room = (at != nullptr ? at : screen())->availableGeometry();
  resize(size().boundedTo(room.size()));
  // A window that was never placed is placed by the desktop.
  if (testAttribute(Qt::WA_Moved) && !room.contains(geometry()))
    move(std::clamp(x(), room.left(), room.right() + 1 - width()),
         std::clamp(y(), room.top(), room.bottom() + 1 - height()));
}

void MainWindow::holdSize() { setMinimumSize(layout()->totalMinimumSize().boundedTo(size())); }

void MainWindow::makePanels() {
  attention_ = new AttentionPanel(workbench_, this);
  prompt_ = new PromptPanel(this);
  text_ = new TextPanel(workbench_, comparison_, this);
  log_ = new LogPanel(this);
  jobs_ = new JobsPanel(desk_, this);
  heads_ = new HeadsPanel(workbench_, comparison_, this);
  vocabulary_ = new VocabularyPanel(workbench_, this);
  overview_ = new OverviewPanel(workbench_, this);
  cache_ = new CachePanel(workbench_, comparison_, this);
  roles_ = new RolesPanel(workbench_, comparison_, this);
  runs_ = new RunsPanel(workbench_, comparison_, baselines_, this);
  menus_ = new QMenuBar(this);
  errors_ = new ErrorBar(this);
  recording_ = new RecordingBar(workbench_, this);
  auto* const top = new QWidget(this);
  auto* const layout = new QVBoxLayout(top);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(menus_);
  layout->addWidget(errors_);
  layout->addWidget(recording_);
  setMenuWidget(top);
  for (QWidget* const view : views()) new FocusRing(view);
}

bool MainWindow::event(QEvent* event) {
  const bool isDone = QMainWindow::event(event);
  switch (event->type()) {
    case QEvent::MouseButtonPress:
      isSeparatorHeld_ = event->isAccepted();  // of its own the window takes no other press
      break;
    case QEvent::MouseButtonRelease:
      if (std::exchange(isSeparatorHeld_, false)) sizes_.remember();
      break;
    case QEvent::Show:
    case QEvent::Resize:
    case QEvent::LayoutRequest:
      holdSize();
      followTabs();
      if (!isSeparatorHeld_) sizes_.settle();
      break;
    default:
      break;
  }
  return isDone;
}

void MainWindow::takeDefaults(const ModelDescription& model) {
  const auto path = QString::fromStdString(model.path);
  const QString before = std::exchange(defaultsOf_, path);
  // The same one on another device has those that a person may have changed since; a session came with its own.
  const bool isOfSession = before.isEmpty() || model.path == workbench_.client().shownModel();
  if (path != before && !(workbench_.hasOptionsOfSession() && isOfSession)) prompt_->setDefaults(model);
}

void MainWindow::sayError(const Error& error) {
  Error said = error;
  const bool isTooLong = error.code == ErrorCode::prompt_too_long;
  if (isTooLong && !promptNote_.isEmpty()) said.message += ". " + promptNote_.toStdString();
  errors_->showError(said);
  const auto& model = workbench_.client().model();
  if (!isTooLong || !model || !workbench_.canAnalyse()) return;
  errors_->offer(tr("Take the first %1 tokens").arg(groupedNumber(model->context)),
                 [this] { workbench_.analyseWhatFits(); });
}

void MainWindow::notice(const QString& text) {
  noticeEnd_ = QDeadlineTimer(noticeMs);
  statusBar()->showMessage(text);
  log_->addLine(text);
  // Not before its end, as a coarse timer may: it would stand until something else happens.
  QTimer::singleShot(noticeMs + 1, Qt::PreciseTimer, this, &MainWindow::refresh);
}

void MainWindow::refresh() {
  const bool isReady = workbench_.canAnalyse();
  for (QAction* const action : {analyse_, generate_}) action->setEnabled(isReady);
  const bool isOfPrompt = workbench_.isOfPrompt();
  for (QAction* const action : {continue_, step_}) action->setEnabled(workbench_.canContinue() && isOfPrompt);
  const QString why = tr("What is shown began with another prompt: Generate begins with this one");
  continue_->setToolTip(isOfPrompt ? tr("Go on from the last token (Ctrl+Shift+G)") : why);
  step_->setToolTip(isOfPrompt ? tr("One more token (Ctrl+T)") : why);
  stop_->setEnabled(workbench_.isRunning());
  const auto& model = workbench_.client().model();
  chat_->setVisible(model && model->chats);
  const QString& prompt = workbench_.options().text;  // as the field has it; reading that takes time with the text
  chat_->setEnabled(workbench_.client().canMakeChatPrompt() && !prompt.isEmpty() && !prompt_->isChatTurn(prompt));
  followUp_->setEnabled(workbench_.recording() == nullptr);
  before_->setEnabled(workbench_.runBefore() != nullptr);
  keep_->setEnabled(comparison_.canKeep());
  drop_->setEnabled(comparison_.kept() != nullptr);
  runBaselines_->setEnabled(baselines_.canBegin());
  save_->setEnabled(!workbench_.sequence().isEmpty() && !workbench_.recording());
  const auto recording = workbench_.recording();
  prompt_->setNote(recording && !recording->hasTexts()
                       ? tr("The recording shown contains no text; this prompt is not its prompt.")
                       : unseenNote_);
  if (!noticeEnd_.hasExpired()) return;
  if (statusBar()->currentMessage() != workbench_.statusText()) statusBar()->showMessage(workbench_.statusText());
}

void MainWindow::paintIcons() {
  generateIcon_ = themedIcon(QStringLiteral("generate"), true);
  generate_->setIcon(themedIcon(QStringLiteral("generate")));
  continue_->setIcon(themedIcon(QStringLiteral("continue")));
  step_->setIcon(themedIcon(QStringLiteral("step")));
  stop_->setIcon(themedIcon(QStringLiteral("stop")));
}

void MainWindow::setTheme(Theme theme) {
  settings_.setTheme(theme);
  ThemeSwitch::instance().apply(*qApp, theme);
  paintIcons();
}

AboutFacts MainWindow::aboutFacts() {
  AboutFacts facts;
  facts.engine = engineProgram_;
  if (const auto& model = workbench_.client().model()) {
    facts.model = QString::fromStdString(model->path);
    facts.device = tr("%1, %2, %3 threads")
                       .arg(QString::fromStdString(model->device), QLatin1String(dtype_name(model->dtype)))
                       .arg(model->threads);
  }
  return facts;
}

void MainWindow::clearAll() {
  workbench_.selection().clear();
  errors_->hide();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  settings_.setWindow(saveGeometry(), saveState(arrangementVersion));
  settings_.setSplitter(dockSizesName(), sizes_.save());
  for (const QSplitter* const splitter : findChildren<QSplitter*>()) {
    if (!splitter->objectName().isEmpty()) settings_.setSplitter(splitter->objectName(), splitter->saveState());
  }
  baselines_.end();
  keepLastRun();
  workbench_.client().shutdown();
  event->accept();
}

}  // namespace natscope::ui
