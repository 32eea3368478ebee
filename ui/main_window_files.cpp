// SPDX-License-Identifier: GPL-3.0-or-later
// What the window opens, keeps and writes: models, sessions, traces, texts, roles, figures.
#include <QDir>
#include <QDragEnterEvent>
#include <QFile>
#include <QFileInfo>
#include <QPointer>
#include <QProcess>
#include <algorithm>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/session/roles_file.h"
#include "ui/figure/chart.h"
#include "ui/main_window.h"
#include "ui/models/elsewhere.h"
#include "ui/models/figures/preview_maker.h"
#include "ui/models/file_reading.h"
#include "ui/models/grouped_number.h"
#include "ui/models/text_file.h"
#include "ui/panels/export_dialog.h"
#include "ui/theme/theme.h"
#include "ui/views/charts/cache_chart_view.h"

namespace natscope::ui {
namespace {

/// How many characters of a file become the prompt: so many for each token of the context, but at least leastPrompt;
/// without a model at most mostPrompt. A field with megabytes in it is slow, and no context holds them.
constexpr qsizetype charactersOfToken = 16;
constexpr qsizetype leastPrompt = qsizetype{64} << 10;
constexpr qsizetype mostPrompt = qsizetype{1} << 20;
/// Roles of a run that is kept when the window closes: some 300 MB with its scores, a few seconds of writing.
constexpr std::int64_t mostRolesKept = std::int64_t{16} << 20U;
constexpr double chartDpi = 300;

}  // namespace

void MainWindow::sayWritten(const QString& path) {
  notice(tr("Wrote %1").arg(path));
  settings_.setLastFolder(QFileInfo(path).path());
}

void MainWindow::openModel(const QString& folder) { workbench_.openModel(folder); }

void MainWindow::openBeside(const QString& folder) {
  // A process of its own: two windows have two engines, and neither can take the other with it.
  const bool isStarted =
      QProcess::startDetached(QCoreApplication::applicationFilePath(), {QStringLiteral("--model"), folder});
  notice(isStarted ? tr("Another window opens %1").arg(folder) : tr("No other window can be started"));
}

void MainWindow::openPath(const QString& path) {
  if (QFileInfo(path).isDir()) return openModel(path);
  if (!isRecordedFile(path)) return openText(path);
  sessions_.open(path);
}

void MainWindow::openText(const QString& path) {
  readElsewhere(
      this, workbench_, path, [path] { return readTextFile(path); },
      [this, path](const Expected<QString>& text) {
        if (!text) return errors_->showError(text.error());
        settings_.setLastFolder(QFileInfo(path).path());
        takeText(path, *text);
        log_->addLine(tr("Opened %1").arg(path));
        workbench_.analyseInstead();
      });
}

void MainWindow::takeText(const QString& path, const QString& text) {
  const auto& model = workbench_.client().model();
  const qsizetype most = model ? std::max<qsizetype>(leastPrompt, model->context * charactersOfToken) : mostPrompt;
  // Not inside a character.
  const qsizetype end = text.size() <= most ? text.size() : most - (text.at(most - 1).isHighSurrogate() ? 1 : 0);
  prompt_->setPrompt(text.left(end));
  if (end == text.size()) return;
  promptNote_ = tr("The prompt has the first %1 of %2 characters of %3")
                    .arg(groupedNumber(end), groupedNumber(text.size()), QFileInfo(path).fileName());
  notice(promptNote_);
}

void MainWindow::openRoles(const QString& path) {
  readElsewhere(
      this, workbench_, path, [path] { return read_roles_file(path.toStdString()); },
      [this, path](const Expected<RoleArray>& roles) {
        if (!roles) return errors_->showError(roles.error());
        RoleChanges changes = workbench_.roleChanges();
        changes.rolesFile = path;
        changes.roles = std::make_shared<const RoleArray>(*roles);
        workbench_.changeRoles(changes);
      });
}

void MainWindow::saveSession(const QString& path) {
  sessions_.write(path, shownAsSession());
  if (workbench_.isRunning())
    notice(tr("The run goes on: %1 has its first %2 tokens").arg(path, groupedNumber(workbench_.sequence().size())));
}

Session MainWindow::shownAsSession() {
  Session session = workbench_.client().session();
  session.view = workbench_.view();
  session.is_chat_turn = workbench_.isOfChatTurn();
  session.kept = comparison_.asSession();
  return session;
}

void MainWindow::keepLastRun() {
  const bool isInFile = workbench_.recording() || !workbench_.sessionFile().isEmpty();
  const EngineClient& client = workbench_.client();
  const bool isCut = !client.isPromptRead();
  // Behind a file that is looked at, or a text that was not read to its end, a run may stand that no file has.
  const Session* const before = workbench_.runBefore();
  if (isInFile && before == nullptr) return;
  Session run = isInFile || (isCut && before != nullptr) ? *before : shownAsSession();
  const std::int64_t heads = std::int64_t{run.record.geometry().layers} * run.record.geometry().kv_heads;
  // What every window begins with must not take the place of a run that somebody may want back.
  const bool isAsBegun = run.record.size() == run.prompt_tokens && run.prompt == firstText_.toStdString() &&
                         run.policy == "model" && run.provenance.by_hand.empty();
  if (run.record.size() == 0 || isAsBegun) return;
  if (run.record.size() * heads > mostRolesKept) {
    // An older one must not be taken for it.
    QFile::remove(settings_.lastRunPath());
    return;
  }
  // The program ends when this is written: QCoreApplication waits for its threads.
  elsewhere(
      this,
      [path = settings_.lastRunPath(), session = std::move(run)]() -> Expected<void> {
        QDir().mkpath(QFileInfo(path).path());
        return write_session(path.toStdString(), session);
      },
      [](const Expected<void>&) {});
}

void MainWindow::showExport(FigureKind kind) {
  // Of what stands there in several ways, the one that is on screen.
  ExportChoice first(kind);
  if (kind == FigureKind::roles) first.isCompared = roles_->map().shows() == RoleMapShows::difference;
  if (kind == FigureKind::text) {
    const TextColouring shownBy = text_->text().colouring();
    const bool isDifference = shownBy == TextColouring::lossDifference;
    first.isCompared = isDifference && comparison_.kept();
    if (shownBy == TextColouring::heldShare) first.text = TextColours::held_shares;
    if (shownBy == TextColouring::loss || isDifference) first.text = TextColours::losses;
  }
  if (kind == FigureKind::vocabulary) first.isOfOneHead = vocabulary_->isOfOneHead();
  const MapTransform& view = attention_->map().transform();
  const Selection& selection = workbench_.selection();
  ShownMap shown;
  shown.map = {selection.layer(), selection.head()};
  shown.queries = {static_cast<std::int32_t>(view.firstQuery()), static_cast<std::int32_t>(view.endQuery())};
  shown.keys = {static_cast<std::int32_t>(view.firstKey()), static_cast<std::int32_t>(view.endKey())};
  shown.tokens = workbench_.sequence().size();
  shown.scale = attention_->map().mapStyle().scale;
  if (attention_->map().hasRange())
    shown.range = FixedRange{attention_->map().range().low, attention_->map().range().high};
  shown.colours = attention_->map().mapStyle().colours;
  shown.isCacheShare = cache_->chart().axis() == CacheAxis::share;
  ExportOrigin origin = exportOrigin(workbench_, workbench_.sessionFile());
  origin.keptFile = comparison_.file();
  auto* const dialog = new ExportDialog(shown, first, ThemeSwitch::instance().theme(), settings_.lastFolder(),
                                        std::move(origin), comparison_.kept(), this);
  dialog->setFormat(exportFormat_);
  connect(dialog, &ExportDialog::formatChosen, this, [this](const QString& ending) { exportFormat_ = ending; });
  connect(dialog, &ExportDialog::wanted, &export_, &FigureExport::start);
  auto* const preview = new PreviewMaker(workbench_, dialog);
  connect(dialog, &ExportDialog::previewWanted, preview, &PreviewMaker::show);
  connect(preview, &PreviewMaker::drawn, dialog, &ExportDialog::showPreview);
  connect(preview, &PreviewMaker::failed, dialog, &ExportDialog::showProblem);
  connect(dialog, &ExportDialog::keptRunToSave, this, [this, dialog, kept = comparison_.kept()](const QString& path) {
    if (kept != comparison_.kept())
      return notice(tr("Another run is kept now: it is not the one that was to be saved"));
    sessions_.write(path, *comparison_.asFile(), [this, dialog = QPointer(dialog), kept, path] {
      comparison_.setFile(kept, path);
      if (dialog) dialog->setKeptFile(path);
    });
  });
  // Another session may be written over it.
  connect(&sessions_, &SessionFiles::written, dialog, [this, dialog, kept = comparison_.kept()] {
    if (kept == comparison_.kept()) dialog->setKeptFile(comparison_.file());
  });
  // It speaks of this text's positions and of the command for it.
  connect(&workbench_.sequence(), &SequenceModel::restarted, dialog, [this, dialog] {
    if (dialog->isVisible()) notice(tr("The export is closed: another text is shown"));
    dialog->close();
  });
  dialog->show();
}

void MainWindow::writeRuns(const QString& path) {
  const bool isTable = path.endsWith(QStringLiteral(".csv"), Qt::CaseInsensitive);
  elsewhere(
      this,
      [path = path.toStdString(), isTable, table = table_text(runs_->model().table(), ','), chart = runs_->figure(),
       theme = ThemeSwitch::instance().theme()] {
        return isTable ? write_file_atomically(path, table) : drawChart(chart, {.theme = theme, .dpi = chartDpi}, path);
      },
      [this, path](const Expected<void>& written) {
        if (!written) return errors_->showError(written.error());
        sayWritten(path);
      });
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (!droppedPath(*event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  const QString path = droppedPath(*event->mimeData());
  if (path.isEmpty()) return;
  event->acceptProposedAction();
  openPath(path);
}

}  // namespace natscope::ui
