// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/jobs/jobs_panel.h"

#include <QAction>
#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/jobs/batch_script_dialog.h"
#include "ui/panels/jobs/job_form.h"
#include "ui/theme/style_sheet.h"
#include "ui/views/job_cell_delegate.h"

namespace natscope::ui {
namespace {

constexpr int keptLogLines = 4000;
constexpr int leastName = 160;

QString text(const std::string& raw, std::size_t most) { return QString::fromStdString(printable(raw, most)); }

}  // namespace

JobsPanel::JobsPanel(JobDesk& desk, QWidget* parent)
    : QWidget(parent),
      desk_(desk),
      table_(new QTableView(this)),
      pages_(new QStackedWidget(this)),
      tabs_(new QTabWidget(this)),
      curves_(new JobCurvesView(desk, this)),
      log_(new QPlainTextEdit(this)),
      about_(new QLabel(this)) {
  drawAsPanel(*this);
  makeActions();
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  auto* const split = new QSplitter(Qt::Horizontal, this);
  split->setObjectName(QStringLiteral("jobParts"));  // under which its positions are remembered
  layout->addWidget(split);
  split->addWidget(makeSide());
  split->addWidget(tabs_);
  split->setSizes({640, 780});
  split->setChildrenCollapsible(false);
  tabs_->setDocumentMode(true);
  tabs_->addTab(curves_, tr("Curves"));
  log_->setReadOnly(true);
  log_->setMaximumBlockCount(keptLogLines);
  log_->setLineWrapMode(QPlainTextEdit::NoWrap);
  log_->setFrameShape(QFrame::NoFrame);
  log_->setPlaceholderText(tr("What the chosen job writes into its log appears here."));
  tabs_->addTab(log_, tr("Log"));
  // From left to right, however they were made.
  setTabOrder(question_->findChildren<QPushButton*>().constLast(), table_);
  setTabOrder(table_, tabs_);

  connect(&desk_, &JobDesk::refreshed, this, &JobsPanel::refresh);
  connect(&desk_, &JobDesk::logArrived, this, [this](const QStringList& lines, bool begins) {
    if (begins) log_->clear();
    if (!lines.isEmpty()) log_->appendPlainText(lines.join(u'\n'));
  });
  connect(table_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this](const QModelIndex& now) {
    const auto& rows = desk_.list().rows();
    const auto at = static_cast<std::size_t>(std::max(0, now.row()));
    desk_.show(now.isValid() && at < rows.size() ? QString::fromStdString(rows[at].entry.name) : QString());
    refresh();
  });
  refresh();
}

void JobsPanel::makeActions() {
  const auto make = [this](const QString& text, const QString& tip, const QKeySequence& keys, auto what) {
    auto* const action = new QAction(text, this);
    action->setToolTip(keys.isEmpty() ? tip : tip + QStringLiteral(" (%1)").arg(keys.toString()));
    action->setShortcut(keys);
    action->setShortcutContext(Qt::WindowShortcut);
    connect(action, &QAction::triggered, this, what);
    addAction(action);
    return action;
  };
  new_ = make(tr("New job …"), tr("Describe and start a training job"), Qt::CTRL | Qt::Key_J, [this] { showForm(); });
  start_ = make(tr("Start"), tr("Begin the chosen job, or go on from its newest checkpoint"), {}, [this] {
    start_->setEnabled(false);  // a second click would be refused as already at work
    desk_.start(desk_.shown());
  });
  stop_ = make(tr("Stop"), tr("End it after the step in work, with a checkpoint"), {},
               [this] { desk_.stop(desk_.shown(), jobs::StopMode::resume_later); });
  keep_ = make(tr("Stop and keep"), tr("End it after the step in work and write the model as it is then"), {},
               [this] { desk_.stop(desk_.shown(), jobs::StopMode::keep_model); });
  cancel_ = make(tr("End now"), tr("End it in the middle of a step; the newest checkpoint stays"), {},
                 [this] { desk_.cancel(desk_.shown()); });
  open_ = make(tr("Open checkpoint"), tr("Look at the newest checkpoint in this window; the job goes on"),
               Qt::CTRL | Qt::SHIFT | Qt::Key_J, [this] { desk_.openCheckpoint(desk_.shown()); });
  beside_ = make(tr("Open checkpoint beside"),
                 tr("The newest checkpoint in a window of its own, beside the model that is open here"), {},
                 [this] { desk_.openCheckpoint(desk_.shown(), true); });
  duplicate_ =
      make(tr("Duplicate …"), tr("A new job like this one, with changes"), {}, [this] { showFormLikeChosen(); });
  copy_ = make(tr("Copy command"), tr("The command that begins or resumes this job"), {}, [this] { copyCommand(); });
  script_ =
      make(tr("Batch script …"), tr("Edit what a Slurm cluster is given for this job"), {}, [this] { editScript(); });
  delete_ = make(tr("Delete …"), tr("Delete the job's folder, its checkpoints and the model in it"), {},
                 [this] { askToDelete(); });
}

QList<QAction*> JobsPanel::jobActions() const {
  return {new_, start_, stop_, keep_, cancel_, open_, beside_, duplicate_, copy_, script_, delete_};
}

QWidget* JobsPanel::makeSide() {
  auto* const side = new QWidget(this);
  auto* const layout = new QVBoxLayout(side);
  layout->setContentsMargins(6, 4, 4, 4);
  layout->setSpacing(4);
  auto* const bar = new QHBoxLayout;
  bar->setSpacing(2);
  const QList<QAction*> inMore{keep_, cancel_, beside_, copy_, script_};
  for (QAction* const action : jobActions()) {
    if (inMore.contains(action)) continue;
    auto* const button = new QToolButton(side);
    button->setDefaultAction(action);
    if (action == new_) {
      newButton_ = button;
      button->setObjectName(QStringLiteral("primary"));
    } else {
      drawWithFrame(*button);
    }
    bar->addWidget(button);
  }
  auto* const more = new QToolButton(side);
  more->setText(tr("More ▾"));
  drawWithFrame(*more);
  more->addActions(inMore);
  more->setPopupMode(QToolButton::InstantPopup);
  bar->addWidget(more);
  bar->addStretch();
  layout->addLayout(bar);
  layout->addWidget(makeQuestion());

  table_->setModel(&desk_.list());
  table_->setItemDelegate(new JobCellDelegate(table_));
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setShowGrid(false);
  table_->setTabKeyNavigation(false);  // else Tab goes round in the table and never leaves it
  table_->setFrameShape(QFrame::NoFrame);
  table_->setContextMenuPolicy(Qt::ActionsContextMenu);
  table_->addActions(jobActions());
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setDefaultSectionSize(24);
  table_->setWordWrap(false);
  QHeaderView* const header = table_->horizontalHeader();
  header->setHighlightSections(false);
  header->setSectionResizeMode(QHeaderView::ResizeToContents);
  header->setSectionResizeMode(JobListModel::nameColumn, QHeaderView::Fixed);
  header->setResizeContentsPrecision(0);  // those in sight: there may be hundreds
  connect(header, &QHeaderView::sectionResized, this, [this](int column) {
    if (column != JobListModel::nameColumn) fitNames();
  });
  table_->viewport()->installEventFilter(this);

  auto* const empty = new QLabel(
      tr("No jobs yet. <b>New job …</b> trains a model from scratch or teaches an existing one its roles.<br>"
         "Jobs run on their own: closing this window leaves them running."),
      this);
  empty->setAlignment(Qt::AlignCenter);
  empty->setWordWrap(true);
  empty->setObjectName(QStringLiteral("muted"));
  pages_->addWidget(empty);
  pages_->addWidget(table_);
  layout->addWidget(pages_, 1);
  about_->setWordWrap(true);
  about_->setTextFormat(Qt::PlainText);
  about_->setObjectName(QStringLiteral("muted"));
  about_->hide();
  layout->addWidget(about_);
  return side;
}

QWidget* JobsPanel::makeQuestion() {
  question_ = new QWidget(this);
  auto* const layout = new QHBoxLayout(question_);
  layout->setContentsMargins(4, 2, 4, 2);
  asked_ = new QLabel(question_);
  asked_->setWordWrap(true);
  layout->addWidget(asked_, 1);
  auto* const yes = new QPushButton(tr("Delete"), question_);
  yes->setObjectName(QStringLiteral("confirmDelete"));
  keepIt_ = new QPushButton(tr("Keep it"), question_);
  keepIt_->setObjectName(QStringLiteral("keepJob"));
  layout->addWidget(yes);
  layout->addWidget(keepIt_);
  for (QPushButton* const button : {yes, keepIt_}) button->installEventFilter(this);
  connect(yes, &QPushButton::clicked, this, [this] {
    endQuestion();
    desk_.remove(toDelete_);
  });
  connect(keepIt_, &QPushButton::clicked, this, &JobsPanel::endQuestion);
  question_->hide();
  return question_;
}

const JobRow* JobsPanel::chosen() const { return desk_.list().find(desk_.shown()); }

void JobsPanel::choose(const QString& job) {
  const int row = desk_.list().rowOf(job);
  if (row >= 0) table_->selectRow(row);
}

QWidget& JobsPanel::firstStop() const {
  return desk_.list().rowCount() > 0 ? static_cast<QWidget&>(*table_) : *newButton_;
}

QString JobsPanel::logText() const { return log_->toPlainText(); }

void JobsPanel::refresh() {
  pages_->setCurrentIndex(desk_.list().rowCount() > 0 ? 1 : 0);
  if (desk_.list().rowCount() == 0 && !desk_.shown().isEmpty()) desk_.show({});  // the last one was deleted
  if (!chosenSoon_.isEmpty() && desk_.list().rowOf(chosenSoon_) >= 0) choose(std::exchange(chosenSoon_, QString()));
  if (!table_->currentIndex().isValid() && desk_.list().rowCount() > 0) table_->selectRow(0);
  const JobRow* const row = chosen();
  const bool isReadable = row != nullptr && !row->entry.problem;
  const jobs::JobState state = isReadable ? row->entry.status.state : jobs::JobState::created;
  const bool isActive = isReadable && jobs::is_active(state);
  start_->setText(isReadable && (row->checkpoint || row->entry.status.step > 0) ? tr("Resume") : tr("Start"));
  const bool isStarting = desk_.isStarting(desk_.shown());
  start_->setEnabled(isReadable && jobs::is_resumable(state) && !isStarting);
  stop_->setEnabled(isActive && !row->entry.status.stop_requested);
  keep_->setEnabled(isActive);
  cancel_->setEnabled(isActive);
  open_->setEnabled(isReadable && row->checkpoint);
  beside_->setEnabled(open_->isEnabled());
  duplicate_->setEnabled(isReadable);
  copy_->setEnabled(isReadable);
  script_->setEnabled(isReadable && !isActive && !isStarting);
  delete_->setEnabled(row != nullptr && !isActive && !isStarting);
  QString about;
  if (row != nullptr && row->entry.problem) {
    about = QString::fromStdString(format_error_line(*row->entry.problem));
  } else if (isReadable && !row->entry.status.error.empty() && state != jobs::JobState::running) {
    about = text(row->entry.status.error, 500);
  } else if (isReadable && !row->entry.status.cluster.empty()) {
    about = tr("Slurm: %1").arg(text(row->entry.status.cluster, 200));
  }
  about_->setText(about);
  about_->setVisible(!about.isEmpty());
}

/// Names have what the other columns leave, and enough to tell jobs apart where those leave less.
void JobsPanel::fitNames() {
  const QHeaderView& header = *table_->horizontalHeader();
  const int others = header.length() - header.sectionSize(JobListModel::nameColumn);
  table_->setColumnWidth(JobListModel::nameColumn, std::max(leastName, table_->viewport()->width() - others));
}

void JobsPanel::askToDelete() {
  if (chosen() == nullptr) return;
  toDelete_ = desk_.shown();
  asked_->setText(tr("Delete “%1” with its checkpoints and model?").arg(toDelete_));
  question_->show();
  keepIt_->setFocus(Qt::OtherFocusReason);
}

void JobsPanel::endQuestion() {
  question_->hide();
  table_->setFocus(Qt::OtherFocusReason);
}

bool JobsPanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == table_->viewport()) {
    if (event->type() == QEvent::Resize) fitNames();
    return QWidget::eventFilter(watched, event);
  }
  // Escape in the question is its no; the window's is for when nothing is asked.
  const bool isKey = event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress;
  if (!isKey || static_cast<QKeyEvent*>(event)->key() != Qt::Key_Escape) return QWidget::eventFilter(watched, event);
  event->accept();
  if (event->type() == QEvent::KeyPress) keepIt_->click();
  return true;
}

void JobsPanel::copyCommand() {
  const JobRow* const row = chosen();
  if (row == nullptr) return;
  const auto words = jobs::job_command(desk_.program().toStdString(), row->entry.spec, row->entry.folder);
  QGuiApplication::clipboard()->setText(QString::fromStdString(jobs::shell_text(words)));
  Q_EMIT desk_.said(tr("The command is copied"));
}

void JobsPanel::editScript() {
  if (chosen() != nullptr) (new BatchScriptDialog(desk_, desk_.shown(), this))->show();
}

JobForm* JobsPanel::showForm() { return showForm(JobDraft()); }

JobForm* JobsPanel::showForm(const JobDraft& draft) {
  auto* const form = new JobForm(desk_, draft, this);
  const auto chooseSoon = [this](const QString& job) {
    chosenSoon_ = job;
    desk_.refresh();
    Q_EMIT jobMade(job);
  };
  connect(form, &JobForm::started, this, chooseSoon);
  connect(form, &JobForm::described, this, [this, chooseSoon](const QString& job) {
    chooseSoon(job);
    (new BatchScriptDialog(desk_, job, this))->show();
  });
  form->show();
  return form;
}

JobForm* JobsPanel::showFormLikeChosen() {
  const JobRow* const row = chosen();
  if (row == nullptr || row->entry.problem) return nullptr;
  const bool isPlain = jobs::check_job_name(row->entry.name).has_value();
  const QString origin = isPlain ? desk_.shown() : QString::fromStdString(row->entry.folder.string());
  JobDraft draft = JobDraft::like(origin, row->entry.spec);
  const auto& launch = row->entry.status.launch;
  draft.onSlurm = launch && launch->runner == jobs::RunnerKind::slurm;
  return showForm(draft);
}

}  // namespace natscope::ui
