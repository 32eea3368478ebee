// SPDX-License-Identifier: GPL-3.0-or-later
// What the window's parts tell each other.
#include <QDockWidget>
#include <QFileInfo>
#include <utility>

#include "ui/main_window.h"
#include "ui/models/grouped_number.h"
#include "ui/models/model_label.h"
#include "ui/models/text_file.h"

namespace natscope::ui {

void MainWindow::connectPrompt() {
  connect(prompt_, &PromptPanel::changed, this, [this] {
    promptNote_.clear();
    workbench_.setOptions(prompt_->options());
    unseenNote_ = unseenWords(workbench_.options().text);
    refresh();
  });
  connect(prompt_, &PromptPanel::policyChosen, &workbench_, &Workbench::tryPolicy);
  connect(prompt_, &PromptPanel::fileDropped, this, &MainWindow::openPath);
  connect(&text_->text(), &TokenTextView::promptWanted, prompt_, &PromptPanel::setPrompt);
  connect(&workbench_, &Workbench::promptTaken, this, [this](const QString& text) {
    prompt_->setPrompt(text);
    notice(tr("The prompt is now the beginning of the text, as much as the context of %1 tokens holds")
               .arg(groupedNumber(workbench_.client().model()->context)));
  });
  connect(&workbench_.client(), &EngineClient::chatPromptArrived, this,
          [this](const QString& user, const QString& prompt, const QString& note) {
            if (prompt_->takeChatPrompt(user, prompt) && !note.isEmpty()) notice(note);
            refresh();
          });
  connect(&workbench_.client(), &EngineClient::chatPromptFailed, this, [this](const Error& error) {
    errors_->showError(error);
    refresh();
  });
}

void MainWindow::connectWorkbench() {
  connect(&workbench_, &Workbench::stateChanged, this, &MainWindow::refresh);
  connect(&workbench_, &Workbench::modelOpened, this, [this](const ModelDescription& model) {
    takeDefaults(model);
    setWindowTitle(QStringLiteral("%1 – NAtScope").arg(modelLabel(workbench_.modelPath())));
  });
  connect(&workbench_, &Workbench::errorRaised, this, &MainWindow::sayError);
  connect(&workbench_, &Workbench::errorCleared, errors_, &QWidget::hide);
  connect(&workbench_, &Workbench::logLine, log_, &LogPanel::addLine);
  connect(&workbench_.tiles(), &ShownTileSource::failed, errors_, &ErrorBar::showError);
  connect(&workbench_.client(), &EngineClient::engineStarted, this,
          [this](const QString& program) { engineProgram_ = program; });
}

void MainWindow::connectFollowUps() {
  FollowUpBar* const bar = &text_->followUp();
  connect(&workbench_, &Workbench::followUpRefused, errors_, &ErrorBar::showError);
  connect(&workbench_, &Workbench::followUpRead, this, [this](const QString& note) {
    if (!note.isEmpty()) notice(note);
  });
  connect(bar, &FollowUpBar::fileDropped, this, &MainWindow::openPath);
  connect(bar, &FollowUpBar::refused, this, &MainWindow::notice);
  connect(&workbench_, &Workbench::sessionShown, this, [this, bar](const PromptOptions& options) {
    prompt_->setOptions(options);
    bar->setChat(workbench_.isOfChatTurn());
  });
  // What follows a plain text is plain text, too, until somebody says otherwise; the same text read again changes that
  // no more than another engine that has it.
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, [this, bar] {
    const QString& text = workbench_.analysedText();
    if (std::exchange(followUpsOf_, text) != text) bar->setChat(workbench_.isOfChatTurn());
  });
}

void MainWindow::connectFiles() {
  connect(&export_, &FigureExport::failed, errors_, &ErrorBar::showError);
  connect(&export_, &FigureExport::written, this, &MainWindow::sayWritten);
  connect(&sessions_, &SessionFiles::failed, errors_, &ErrorBar::showError);
  connect(&sessions_, &SessionFiles::written, this, &MainWindow::sayWritten);
  connect(&sessions_, &SessionFiles::written, &comparison_, &RunComparison::forgetFile);
  connect(&sessions_, &SessionFiles::opened, this, [this](const QString& path, const Session& session) {
    if (path != settings_.lastRunPath()) settings_.setLastFolder(QFileInfo(path).path());
    workbench_.showSession(session, path);
    if (session.kept && !comparison_.restore(*session.kept))
      notice(tr("The file's comparison run was added; you are still comparing with the run kept here."));
  });
  connect(&sessions_, &SessionFiles::recordingOpened, this, [this](const std::shared_ptr<const Recording>& recording) {
    settings_.setLastFolder(QFileInfo(QString::fromStdString(recording->path().string())).path());
    // One without texts has none for the field, and "back to the model" wants one.
    if (prompt_->options().text.isEmpty()) prompt_->setPrompt(firstText_);
    workbench_.showRecording(recording);
  });
  // Which weights are open is known some time after the model: then a recording that was made with them gets its text.
  connect(&workbench_.client(), &EngineClient::modelIdentified, this, [this](const QString& sha256) {
    const auto recording = workbench_.recording();
    if (workbench_.isReading()) return;  // that is what somebody wants to see
    if (recording && !recording->hasTexts() && recording->trace().provenance().model_sha256 == sha256.toStdString())
      openPath(QString::fromStdString(recording->path().string()));
  });
}

void MainWindow::connectRuns() {
  connect(&comparison_, &RunComparison::changed, this, &MainWindow::refresh);
  connect(&comparison_, &RunComparison::letGo, this, [this](const QString& run) {
    notice(tr("No room for more kept runs: the oldest, %1, was let go").arg(run));
  });
  connect(&comparison_, &RunComparison::failed, errors_, &ErrorBar::showError);
  connect(&baselines_, &BaselineRuns::changed, this, &MainWindow::refresh);
  connect(runs_, &FigureTablePanel::exportWanted, this, &MainWindow::chooseRunsToWrite);
}

void MainWindow::connectPanels() {
  connect(heads_, &FigureTablePanel::exportWanted, this,
          [this] { showExport(heads_->isOfAttention() ? FigureKind::statistics : FigureKind::heads); });
  connect(vocabulary_, &FigureTablePanel::exportWanted, this, [this] { showExport(FigureKind::vocabulary); });
  connect(vocabulary_, &VocabularyPanel::tokenChosen, this, &MainWindow::findToken);
  connect(overview_, &OverviewPanel::exportWanted, this, [this] { showExport(FigureKind::overview); });
  HeadGridView* const grid = &overview_->grid();
  connect(grid, &HeadGridView::headOpened, this, &MainWindow::showAttention);
  connect(attention_, &AttentionPanel::styleChanged, grid, &HeadGridView::setMapStyle);
  grid->setMapStyle(attention_->map().mapStyle());
  // Behind another dock nobody sees it, though it is shown.
  connect(docks_.value(QStringLiteral("overview")), &QDockWidget::visibilityChanged, grid, &HeadGridView::setSeen);
  connect(&attention_->map(), &AttentionMapView::firstPicture, this, &MainWindow::firstPicture);
}

void MainWindow::connectJobs() {
  connect(&desk_, &JobDesk::failed, errors_, &ErrorBar::showError);
  connect(&desk_, &JobDesk::said, this, &MainWindow::notice);
  connect(jobs_, &JobsPanel::jobMade, this, [this] {
    // Where it is in sight it keeps its height.
    if (jobs_->visibleRegion().isEmpty()) showJobs();
  });
  connect(&desk_, &JobDesk::checkpointReady, this, [this](const QString& model, bool isBeside) {
    if (isBeside) {
      openBeside(model);
    } else {
      noticeEnd_ = QDeadlineTimer();  // from here on it is the workbench that says how far it is
      openModel(model);
    }
  });
}

}  // namespace natscope::ui
