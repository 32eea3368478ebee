// SPDX-License-Identifier: GPL-3.0-or-later
// The window's menus and keys, and the dialogs that ask for what a menu opens.
#include <QDockWidget>
#include <QFileDialog>
#include <QFileInfo>
#include <QInputDialog>
#include <QMenu>
#include <QMenuBar>
#include <QProcess>
#include <limits>

#include "core/base/resource_path.h"
#include "ui/main_window.h"
#include "ui/panels/parts/keys_sheet.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

/// Asks for one path once it is opened, then is gone. `chosen` is a slot of the window.
template <class Chosen>
QFileDialog* pathDialog(MainWindow* window, const QString& title, const QString& folder, const QString& filter,
                        QFileDialog::FileMode mode, Chosen chosen) {
  auto* const dialog = new QFileDialog(window, title, folder, filter);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(mode);
  QObject::connect(dialog, &QFileDialog::fileSelected, window, chosen);
  return dialog;
}

}  // namespace

QAction* MainWindow::addKey(const QString& text, const QKeySequence& keys, std::function<void()> what) {
  auto* const action = new QAction(text, this);
  action->setShortcut(keys);
  connect(action, &QAction::triggered, this, std::move(what));
  addAction(action);
  keys_.append(action);
  return action;
}

void MainWindow::makeActions() {
  generate_ = addKey(tr("&Generate"), Qt::CTRL | Qt::Key_G, [this] { workbench_.generate(); });
  generate_->setToolTip(tr("Begin again from the prompt and write on (Ctrl+G)"));
  continue_ = addKey(tr("&Continue"), Qt::CTRL | Qt::SHIFT | Qt::Key_G, [this] { workbench_.continueGenerating(); });
  step_ = addKey(tr("Ste&p"), Qt::CTRL | Qt::Key_T, [this] { workbench_.step(); });
  stop_ = addKey(tr("&Stop"), Qt::CTRL | Qt::Key_Period, [this] { workbench_.stop(); });
  analyse_ = addKey(tr("&Analyse the prompt"), Qt::CTRL | Qt::Key_Return, [this] { workbench_.analyse(); });
  followUp_ = addKey(tr("Give a follow-&up …"), Qt::CTRL | Qt::SHIFT | Qt::Key_F, [this] { beginFollowUp(); });
  chat_ = addKey(tr("&Make the prompt a chat turn"), Qt::CTRL | Qt::SHIFT | Qt::Key_Return,
                 [this] { workbench_.client().requestChatPrompt(prompt_->options().text); });
  chat_->setToolTip(
      tr("<p>Puts the marks of the model's chat template round the prompt, where they can be read and changed "
         "(Ctrl+Shift+Return). Ctrl+Z in the prompt takes them away again.</p>"));
  chat_->setAutoRepeat(false);
  chat_->setIconText(tr("As a chat turn"));  // the button's, which must not widen the dock
  chat_->setVisible(false);                  // until a model has a template
  prompt_->showChatAction(chat_);
}

void MainWindow::makeMenus() {
  makeFileMenu();
  makeRunMenu();
  makeJobsMenu();
  makeViewMenu();
  makeHelpMenu();
}

void MainWindow::makeFileMenu() {
  QMenu* const file = menus_->addMenu(tr("&File"));
  modelMenu_ = new QMenu(tr("&Model"), this);
  connect(modelMenu_, &QMenu::aboutToShow, this, &MainWindow::fillModelMenu);
  file->addMenu(modelMenu_);
  file->addAction(addKey(tr("&Open model folder …"), Qt::CTRL | Qt::Key_O, [this] { chooseModel(); }));
  file->addAction(addKey(tr("Open &text file …"), Qt::CTRL | Qt::ALT | Qt::Key_O, [this] { chooseText(); }));
  file->addAction(
      addKey(tr("Open &session or trace …"), Qt::CTRL | Qt::SHIFT | Qt::Key_O, [this] { chooseSession(); }));
  openLast_ = file->addAction(tr("Open the &last run"), this, [this] { openPath(settings_.lastRunPath()); });
  openLast_->setToolTip(tr("What the window showed when it was closed: text, roles, counts and settings"));
  before_ = addKey(tr("&Back to the previous run"), Qt::CTRL | Qt::Key_Z, [this] { workbench_.showRunBefore(); });
  file->addAction(before_);
  before_->setToolTip(tr(
      "What was shown before a session or trace was opened, a text was stopped while it was read, or before what was "
      "written was read again or gave way to another text (Ctrl+Z)"));
  connect(file, &QMenu::aboutToShow, this,
          [this] { openLast_->setEnabled(QFileInfo::exists(settings_.lastRunPath())); });
  save_ = addKey(tr("Sa&ve session …"), Qt::CTRL | Qt::Key_S, [this] { chooseSessionToWrite(); });
  file->addAction(save_);
  file->addAction(tr("Engine &command …"), this, &MainWindow::chooseEngine);
  file->addSeparator();
  file->addAction(addKey(tr("&Export …"), Qt::CTRL | Qt::Key_E, [this] { showExport(FigureKind::attention); }));
  const std::pair<QString, FigureKind> kinds[] = {{tr("Export &attention map …"), FigureKind::attention},
                                                  {tr("Export &role map …"), FigureKind::roles},
                                                  {tr("Export coloured te&xt …"), FigureKind::text},
                                                  {tr("Export cache c&hart …"), FigureKind::kv},
                                                  {tr("Export mas&k …"), FigureKind::mask},
                                                  {tr("Export table o&f heads …"), FigureKind::heads},
                                                  {tr("Export vocab&ulary …"), FigureKind::vocabulary},
                                                  {tr("Export ma&ps of all heads …"), FigureKind::overview},
                                                  {tr("Export stat&istics of attention …"), FigureKind::statistics}};
  for (const auto& [text, kind] : kinds) file->addAction(text, this, [this, which = kind] { showExport(which); });
  file->addSeparator();
  file->addAction(addKey(tr("&Quit"), Qt::CTRL | Qt::Key_Q, [this] { close(); }));
}

void MainWindow::makeRunMenu() {
  QMenu* const run = menus_->addMenu(tr("&Run"));
  run->addActions({analyse_, generate_, continue_, step_, followUp_, stop_, chat_});
  run->addSeparator();
  keep_ = addKey(tr("&Keep this run to compare with"), Qt::CTRL | Qt::Key_K, [this] { comparison_.keep(); });
  drop_ = addKey(tr("&Drop the kept run"), Qt::CTRL | Qt::SHIFT | Qt::Key_K, [this] { comparison_.drop(); });
  runBaselines_ = addKey(tr("Run the basel&ines on this text"), Qt::CTRL | Qt::Key_B, [this] { runBaselines(); });
  runBaselines_->setToolTip(
      tr("<p>Reads the same text with full attention, a window, H2O, TOVA, StreamingLLM, SnapKV, PyramidKV and Ada-KV "
         "that hold as much as this run (a quarter, where it holds everything), keeps each, and shows this one again "
         "(Ctrl+B).</p>"));
  run->addActions({keep_, drop_, runBaselines_});
  run->addSeparator();
  QMenu* const role = run->addMenu(tr("&Role of the pinned token"));
  connect(role, &QMenu::aboutToShow, this, [this, role] {
    const Selection& selection = workbench_.selection();
    const auto token = selection.token();
    roles_->fillRoleMenu(*role, selection.layer(), selection.kvHead(), token.value_or(TokenPos(-1)));
  });
  run->addAction(addKey(tr("Set &window W …"), Qt::Key_W, [this] { chooseWindow(); }));
  run->addAction(tr("Take roles &from a file …"), this, &MainWindow::chooseRoles);
  run->addAction(tr("R&eset window and roles"), this, [this] { workbench_.changeRoles({}); });
}

void MainWindow::makeJobsMenu() {
  QMenu* const jobs = menus_->addMenu(tr("&Jobs"));
  jobs->addAction(addKey(tr("Show &jobs"), Qt::CTRL | Qt::ALT | Qt::Key_J, [this] { showJobs(); }));
  jobs->addSeparator();
  jobs->addActions(jobs_->jobActions());
  keys_ << jobs_->newAction() << jobs_->openAction();
}

void MainWindow::makeViewMenu() {
  QMenu* const view = menus_->addMenu(tr("&View"));
  view->addAction(addKey(tr("&Find in the text …"), Qt::CTRL | Qt::Key_F, [this] { beginSearch(); }));
  view->addAction(addKey(tr("Next match"), Qt::Key_F3, [this] { workbench_.search().next(); }));
  view->addAction(addKey(tr("Previous match"), Qt::SHIFT | Qt::Key_F3, [this] { workbench_.search().previous(); }));
  view->addSeparator();
  view->addAction(addKey(tr("Next layer"), Qt::ALT | Qt::Key_Down, [this] { workbench_.selection().move(1, 0); }));
  view->addAction(addKey(tr("Previous layer"), Qt::ALT | Qt::Key_Up, [this] { workbench_.selection().move(-1, 0); }));
  view->addAction(addKey(tr("Next head"), Qt::ALT | Qt::Key_Right, [this] { workbench_.selection().move(0, 1); }));
  view->addAction(addKey(tr("Previous head"), Qt::ALT | Qt::Key_Left, [this] { workbench_.selection().move(0, -1); }));
  view->addSeparator();
  view->addAction(addKey(tr("Linear or log scale"), Qt::Key_L, [this] { attention_->toggleLog(); }));
  view->addAction(addKey(tr("Largest or mean weight"), Qt::Key_M, [this] { attention_->toggleMean(); }));
  view->addAction(addKey(tr("Hide the sink"), Qt::Key_H, [this] { attention_->toggleSink(); }));
  view->addAction(
      addKey(tr("Fit the map's colours to what is in view"), Qt::Key_F, [this] { attention_->toggleFit(); }));
  view->addAction(addKey(tr("Whole attention map"), Qt::Key_0, [this] { attention_->map().showWhole(); }));
  view->addAction(
      addKey(tr("Colour the text by role, held share, surprise"), Qt::Key_C, [this] { text_->nextColouring(); }));
  view->addAction(
      addKey(tr("Role map: this run, the kept one, the difference"), Qt::Key_R, [this] { roles_->showNext(); }));
  view->addAction(addKey(tr("Show the table of heads"), Qt::CTRL | Qt::ALT | Qt::Key_H, [this] { showHeads(); }));
  view->addAction(addKey(tr("Show the table of runs"), Qt::CTRL | Qt::ALT | Qt::Key_R, [this] { showRuns(); }));
  view->addAction(addKey(tr("Show the vocabulary"), Qt::CTRL | Qt::ALT | Qt::Key_V, [this] { showVocabulary(); }));
  view->addAction(addKey(tr("Show the maps of all heads"), Qt::CTRL | Qt::ALT | Qt::Key_A, [this] { showOverview(); }));
  view->addAction(addKey(tr("Clear the selection"), Qt::Key_Escape, [this] { clearAll(); }));
  view->addSeparator();
  view->addAction(addKey(tr("Light or dark"), Qt::CTRL | Qt::SHIFT | Qt::Key_D, [this] {
    setTheme(ThemeSwitch::instance().theme() == Theme::dark ? Theme::light : Theme::dark);
  }));
  QMenu* const docks = view->addMenu(tr("&Docks"));
  // As they were made, which is as they lie.
  for (QDockWidget* const dock : findChildren<QDockWidget*>(Qt::FindDirectChildrenOnly))
    docks->addAction(dock->toggleViewAction());
  docks->addSeparator();
  docks->addAction(tr("Reset the la&yout"), this, &MainWindow::arrangeDocks);
}

void MainWindow::makeHelpMenu() {
  QMenu* const help = menus_->addMenu(tr("&Help"));
  help->addAction(addKey(tr("&Keyboard shortcuts"), QKeySequence(QStringLiteral("?")),
                         [this] { (new KeysSheet(keys_, this))->show(); }));
  help->addAction(addKey(tr("&Roles and the KV fraction"), Qt::Key_F1,
                         [this] { (new TextSheet(tr("Roles and the KV fraction"), conceptsText(), this))->show(); }));
  help->addSeparator();
  help->addAction(tr("&About NAtScope"), this,
                  [this] { (new TextSheet(tr("About NAtScope"), aboutText(aboutFacts()), this))->show(); });
}

void MainWindow::fillModelMenu() {
  modelMenu_->clear();
  modelMenu_->addAction(tr("The bundled demo"), this, [this] { openModel(demoModel()); });
  modelMenu_->addAction(tr("Its full-attention twin"), this,
                        [this] { openModel(QString::fromStdString(demo_twin_path().string())); });
  modelMenu_->addAction(tr("Open folder …"), this, &MainWindow::chooseModel);
  const QStringList recent = settings_.recentModels();
  if (!recent.isEmpty()) modelMenu_->addSection(tr("Recent"));
  for (const QString& folder : recent) modelMenu_->addAction(folder, this, [this, folder] { openModel(folder); });
}

void MainWindow::chooseText() {
  pathDialog(this, tr("Text file"), settings_.lastFolder(), tr("Texts (*.txt *.md *.text);;All files (*)"),
             QFileDialog::ExistingFile, &MainWindow::openText)
      ->open();
}

void MainWindow::chooseRoles() {
  pathDialog(this, tr("File with roles: a trace, or roles U8 [layers, KV heads, tokens]"), settings_.lastFolder(),
             tr("Roles (*.safetensors);;All files (*)"), QFileDialog::ExistingFile, &MainWindow::openRoles)
      ->open();
}

void MainWindow::chooseWindow() {
  auto* const input = new QInputDialog(this);
  input->setAttribute(Qt::WA_DeleteOnClose);
  input->setObjectName(QStringLiteral("windowInput"));
  input->setInputMode(QInputDialog::IntInput);
  input->setWindowTitle(tr("Window W"));
  input->setLabelText(tr("A Sliding token is visible to this many queries after its own."));
  input->setIntRange(0, std::numeric_limits<int>::max());
  const std::int64_t shown = workbench_.sequence().record().window().value_or(0);
  input->setIntValue(static_cast<int>(workbench_.roleChanges().window.value_or(shown)));
  if (!workbench_.sequence().hasRoles())
    input->setLabelText(
        tr("%1 has no window: W will hold once another policy is chosen.").arg(workbench_.sequence().method()));
  connect(input, &QInputDialog::intValueSelected, this, [this](int window) {
    RoleChanges changes = workbench_.roleChanges();
    changes.window = window;
    workbench_.changeRoles(changes);
  });
  input->open();
}

void MainWindow::chooseSession() {
  pathDialog(this, tr("Session or trace file"), settings_.lastFolder(),
             tr("Sessions and traces (*.safetensors);;All files (*)"), QFileDialog::ExistingFile, &MainWindow::openPath)
      ->open();
}

void MainWindow::chooseSessionToWrite() {
  QFileDialog* const dialog =
      pathDialog(this, tr("Save the session"), settings_.lastFolder(), tr("Sessions (*.safetensors);;All files (*)"),
                 QFileDialog::AnyFile, &MainWindow::saveSession);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix(QStringLiteral("safetensors"));
  dialog->selectFile(QStringLiteral("session.safetensors"));
  dialog->open();
}

void MainWindow::chooseRunsToWrite() {
  QFileDialog* const dialog =
      pathDialog(this, tr("Write the runs"), settings_.lastFolder(), tr("Chart (*.svg *.pdf *.png);;Table (*.csv)"),
                 QFileDialog::AnyFile, &MainWindow::writeRuns);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix(QStringLiteral("svg"));
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
    dialog->setDefaultSuffix(filter.contains(QStringLiteral("csv")) ? QStringLiteral("csv") : QStringLiteral("svg"));
  });
  dialog->selectFile(QStringLiteral("runs.svg"));
  dialog->open();
}

void MainWindow::chooseModel() {
  QFileDialog* const dialog =
      pathDialog(this, tr("Model folder"), workbench_.modelPath(), {}, QFileDialog::Directory, &MainWindow::openModel);
  dialog->setOption(QFileDialog::ShowDirsOnly);
  dialog->open();
}

void MainWindow::chooseEngine() {
  auto* const input = new QInputDialog(this);
  input->setAttribute(Qt::WA_DeleteOnClose);
  input->setWindowTitle(tr("Engine command"));
  input->setLabelText(
      tr("Program and arguments that speak for the engine, for example: ssh gpubox natscope-engine\nEmpty: the engine "
         "beside this program."));
  input->setTextValue(settings_.engineCommandLine());
  connect(input, &QInputDialog::textValueSelected, this,
          [this](const QString& text) { workbench_.setEngineCommand(QProcess::splitCommand(text)); });
  input->open();
}

}  // namespace natscope::ui
