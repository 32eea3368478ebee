// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDeadlineTimer>
#include <QIcon>
#include <QMainWindow>

#include "ui/dock_sizes.h"
#include "ui/models/figures/figure_export.h"
#include "ui/models/runs/baseline_runs.h"
#include "ui/models/runs/run_comparison.h"
#include "ui/models/session_files.h"
#include "ui/models/workbench.h"
#include "ui/panels/attention_panel.h"
#include "ui/panels/cache_panel.h"
#include "ui/panels/heads_panel.h"
#include "ui/panels/jobs/jobs_panel.h"
#include "ui/panels/jobs/log_panel.h"
#include "ui/panels/overview_panel.h"
#include "ui/panels/parts/error_bar.h"
#include "ui/panels/parts/text_sheet.h"
#include "ui/panels/prompt_panel.h"
#include "ui/panels/recording_bar.h"
#include "ui/panels/roles_panel.h"
#include "ui/panels/runs_panel.h"
#include "ui/panels/text_panel.h"
#include "ui/panels/vocabulary_panel.h"

namespace natscope::ui {

/// How the window starts.
struct WindowStart {
  QString model;              ///< folder; empty: the bundled demo
  QString device;             ///< "auto", "cpu", "cuda"; empty: as last time
  int context = 0;            ///< of that model, tokens; 0: its own
  QStringList engineCommand;  ///< empty: as the settings say, else the engine beside this program
  QString prompt;             ///< analysed as soon as the model is open; empty: the bundled sample text
  QString session;            ///< a session, trace or text file that is shown in its place; empty: none
  QString jobProgram;         ///< natscope-cli, which runs jobs; empty: the one beside this program
};

/// The window: docks, menus, keys. What they show and do lives in panels and models.
class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  MainWindow(Settings& settings, const WindowStart& start, QWidget* parent = nullptr);
  ~MainWindow() override;

  [[nodiscard]] Workbench& workbench() { return workbench_; }
  [[nodiscard]] AttentionPanel& attention() { return *attention_; }
  [[nodiscard]] PromptPanel& prompt() { return *prompt_; }
  [[nodiscard]] TextPanel& text() { return *text_; }
  [[nodiscard]] ErrorBar& errorBar() { return *errors_; }
  [[nodiscard]] HeadsPanel& heads() { return *heads_; }
  [[nodiscard]] VocabularyPanel& vocabulary() { return *vocabulary_; }
  [[nodiscard]] OverviewPanel& overview() { return *overview_; }
  [[nodiscard]] RunComparison& comparison() { return comparison_; }
  [[nodiscard]] CachePanel& cache() { return *cache_; }
  [[nodiscard]] RolesPanel& roles() { return *roles_; }
  [[nodiscard]] RunsPanel& runs() { return *runs_; }
  [[nodiscard]] BaselineRuns& baselines() { return baselines_; }
  [[nodiscard]] RecordingBar& recordingBar() { return *recording_; }
  [[nodiscard]] FigureExport& figureExport() { return export_; }
  [[nodiscard]] JobDesk& jobDesk() { return desk_; }
  [[nodiscard]] JobsPanel& jobs() { return *jobs_; }

  void showExport(FigureKind kind);
  void openModel(const QString& folder);
  void openBeside(const QString& folder);
  /// A model's folder, a session, trace or text file, whichever it is.
  void openPath(const QString& path);
  /// A file's text becomes the prompt and is analysed. One that is refused leaves prompt and views as they are.
  void openText(const QString& path);
  /// Shows the field to search the text with.
  void beginSearch();
  /// Puts the cursor into the field for what the model is given behind the text.
  void beginFollowUp();
  /// Marks every occurrence of a token of the vocabulary in the text.
  void findToken(std::int32_t token, const QString& name);
  /// Roles of a file, taken as they are (a trace is one, too); a file that is refused changes nothing.
  void openRoles(const QString& path);
  void saveSession(const QString& path);
  void setTheme(Theme theme);
  /// Brings the dock of heads to the front.
  void showHeads();
  /// Brings the dock of the vocabulary to the front.
  void showVocabulary();
  /// Brings the dock of runs to the front.
  void showRuns();
  /// Reads what is shown under the baselines that hold as much, and shows what came of it.
  void runBaselines();
  /// Writes the table of runs (csv) or the chart (svg, pdf, png), by the file's ending.
  void writeRuns(const QString& path);
  /// Brings the dock with the maps of all heads to the front.
  void showOverview();
  /// Brings the dock with the chosen head's map to the front.
  void showAttention();
  /// Brings the dock of jobs to the front, with room for its curves.
  void showJobs();

 Q_SIGNALS:
  void firstPicture();

 protected:
  bool event(QEvent* event) override;
  bool focusNextPrevChild(bool next) override;
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void keepOnScreen();
  /// Torn-off docks that were left on a larger screen do not bury the window on this one.
  void boundFloatingDocks();
  /// Panels that need more room than before do not enlarge the window, which may have no more on its screen.
  void holdSize();
  void makePanels();
  void makeDocks();
  void makeActions();
  void makeMenus();
  void makeFileMenu();
  void makeRunMenu();
  void makeJobsMenu();
  void makeViewMenu();
  void makeHelpMenu();
  void connectPrompt();
  void connectWorkbench();
  void connectFollowUps();
  void connectFiles();
  void connectRuns();
  void connectPanels();
  void connectJobs();
  /// A model's own sampling for the fields, unless they are somebody's.
  void takeDefaults(const ModelDescription& model);
  /// Says what is wrong, and offers the beginning of a text that is too long.
  void sayError(const Error& error);
  void orderTabs();
  void followTabs();
  /// What draws itself and takes arrow keys.
  [[nodiscard]] QList<QWidget*> views() const;
  /// `title`: as a menu has it, with the letter that chooses it.
  QDockWidget* addDock(const QString& name, const QString& title, QWidget* content);
  QAction* addKey(const QString& text, const QKeySequence& keys, std::function<void()> what);
  void placeDocks();
  /// Where the docks were on the first day; the window stays as large as it is.
  void arrangeDocks();
  QDockWidget* bringToFront(const QString& name);
  /// Shows a dock of the lower edge, with room for its rows or curves, which is lent until the cache is shown again.
  void raiseDock(const QString& name);
  void sayWritten(const QString& path);
  /// Says something that happened, for some seconds, over what the workbench says.
  void notice(const QString& text);
  /// Leaves what is shown for the next window, unless a file has it.
  void keepLastRun();
  /// What is shown, what is chosen in it, and the run that it is compared with.
  [[nodiscard]] Session shownAsSession();
  void refresh();
  void paintIcons();
  void fillModelMenu();
  /// Fills the prompt with a file's text, or with as much of it as a prompt may have.
  void takeText(const QString& path, const QString& text);
  void chooseModel();
  void chooseSession();
  void chooseText();
  void chooseSessionToWrite();
  void chooseEngine();
  void chooseRoles();
  void chooseWindow();
  void chooseRunsToWrite();
  [[nodiscard]] AboutFacts aboutFacts();
  void clearAll();

  Settings& settings_;
  Workbench workbench_;
  RunComparison comparison_;
  BaselineRuns baselines_;
  FigureExport export_;
  QString exportFormat_;   // chosen last
  QString engineProgram_;  // as it says hello
  SessionFiles sessions_;
  QString promptNote_;   // what the field holds of a file, where that is not all
  QString unseenNote_;   // what the prompt has that its field does not show
  QString firstText_;    // that the window began with
  QString followUpsOf_;  // the text for which a follow-up was last taken for a chat turn, or not
  QString defaultsOf_;   // the model whose defaults the fields have, or were left alone for
  QDeadlineTimer noticeEnd_;
  JobDesk desk_;
  AttentionPanel* attention_ = nullptr;
  PromptPanel* prompt_ = nullptr;
  TextPanel* text_ = nullptr;
  LogPanel* log_ = nullptr;
  JobsPanel* jobs_ = nullptr;
  HeadsPanel* heads_ = nullptr;
  VocabularyPanel* vocabulary_ = nullptr;
  OverviewPanel* overview_ = nullptr;
  CachePanel* cache_ = nullptr;
  RolesPanel* roles_ = nullptr;
  RunsPanel* runs_ = nullptr;
  RecordingBar* recording_ = nullptr;
  ErrorBar* errors_ = nullptr;
  QMenuBar* menus_ = nullptr;
  QMenu* modelMenu_ = nullptr;
  QMap<QString, QDockWidget*> docks_;
  DockSizes sizes_{*this};
  bool isSeparatorHeld_ = false;  // what a person is dragging is not to be settled
  QList<QAction*> keys_;
  QStringList dockTabs_;  // as they were when the order of Tab was made
  QAction* analyse_ = nullptr;
  QAction* generate_ = nullptr;
  QToolButton* generateButton_ = nullptr;
  QIcon generateIcon_;  // on the button's colour
  QAction* continue_ = nullptr;
  QAction* step_ = nullptr;
  QAction* stop_ = nullptr;
  QAction* chat_ = nullptr;
  QAction* followUp_ = nullptr;
  QAction* save_ = nullptr;
  QAction* openLast_ = nullptr;
  QAction* before_ = nullptr;
  QAction* keep_ = nullptr;
  QAction* drop_ = nullptr;
  QAction* runBaselines_ = nullptr;
};

/// The bundled demo model's folder, and the sample text ("" where it cannot be read).
[[nodiscard]] QString demoModel();
[[nodiscard]] QString sampleText();

}  // namespace natscope::ui
