// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/job_form.h"

#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QFontDatabase>
#include <QFormLayout>
#include <QGuiApplication>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int forecastPauseMs = 700;
const QString nameKey = QStringLiteral("name");

QString sizeText(double bytes) {
  return bytes < 1e9 ? QString::number(bytes / 1048576, 'f', 0) + QStringLiteral(" MiB")
                     : QString::number(bytes / 1073741824, 'f', 1) + QStringLiteral(" GiB");
}

}  // namespace

JobForm::JobForm(JobDesk& desk, const JobDraft& draft, QWidget* parent)
    : QDialog(parent),
      desk_(desk),
      draft_(draft),
      form_(new QFormLayout),
      kind_(new QComboBox(this)),
      device_(new QComboBox(this)),
      where_(new QComboBox(this)),
      sbatch_(new QLineEdit(this)),
      forecast_(new QLabel(this)),
      problem_(new QLabel(this)),
      command_(new QPlainTextEdit(this)),
      small_(new QPushButton(tr("Small values"), this)),
      start_(new QPushButton(tr("Start"), this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(draft.origin().isEmpty() ? tr("New training job") : tr("A job like %1").arg(draft.origin()));
  resize(720, 840);
  form_->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
  form_->setHorizontalSpacing(14);
  form_->setVerticalSpacing(7);
  auto* const content = new QWidget(this);
  content->setObjectName(QStringLiteral("panel"));
  content->setLayout(form_);
  auto* const scroll = new QScrollArea(this);
  scroll->setWidget(content);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  addRow(nameKey, tr("Name"), tr("How the list and the command line call the job."), false);
  makeChoices();
  for (const JobField& field : jobFields()) {
    addRow(QLatin1String(field.key), tr(field.label), tr(field.help), field.type == JobField::Type::file);
  }

  command_->setReadOnly(true);
  command_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  command_->setFixedHeight(74);
  command_->setToolTip(tr("What Start runs; a terminal does the same with it"));
  forecast_->setWordWrap(true);
  problem_->setWordWrap(true);
  problem_->hide();
  auto* const copy = new QPushButton(tr("Copy command"), this);
  auto* const cancel = new QPushButton(tr("Close"), this);
  small_->setToolTip(tr("A model that this machine trains in minutes, in place of the paper's size"));
  start_->setDefault(true);
  auto* const buttons = new QHBoxLayout;
  buttons->addWidget(small_);
  buttons->addWidget(copy);
  buttons->addStretch();
  buttons->addWidget(cancel);
  buttons->addWidget(start_);
  auto* const layout = new QVBoxLayout(this);
  layout->addWidget(scroll, 1);
  layout->addWidget(forecast_);
  layout->addWidget(command_);
  layout->addWidget(problem_);
  layout->addLayout(buttons);

  connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(command()); });
  connect(cancel, &QPushButton::clicked, this, &QDialog::close);
  connect(start_, &QPushButton::clicked, this, &JobForm::start);
  connect(small_, &QPushButton::clicked, this, [this] {
    draft_.makeSmall();
    fill();
  });
  pause_.setSingleShot(true);
  pause_.setInterval(forecastPauseMs);
  connect(&pause_, &QTimer::timeout, this, &JobForm::forecast);
  fill();
}

void JobForm::makeChoices() {
  kind_->addItems({tr("From scratch"), tr("Score layers of a model"), tr("Score layers and LoRA")});
  kind_->setCurrentIndex(static_cast<int>(draft_.kind()));
  kind_->setEnabled(draft_.origin().isEmpty());
  kind_->setToolTip(
      tr("From scratch: a new model and its roles. Score layers: an existing model stays as it is and learns "
         "which tokens to keep. LoRA: its q and k adapt a little, too."));
  addChoice(tr("Kind"), kind_, tr("A new model and its roles, or an existing one that learns which tokens to keep."));
  device_->addItem(tr("auto"), QStringLiteral("auto"));
  device_->addItem(tr("CPU"), QStringLiteral("cpu"));
  device_->addItem(tr("GPU"), QStringLiteral("cuda"));
  device_->setToolTip(tr("Where the arithmetic is done"));
  // A duplicate keeps the device of its origin.
  device_->setEnabled(draft_.origin().isEmpty());
  addChoice(tr("Device"), device_, tr("Where the arithmetic is done; auto takes a GPU where one can be used."));
  where_->addItems({tr("This machine"), tr("Slurm cluster")});
  where_->setToolTip(
      tr("A process of this machine that outlives the window, or sbatch with a script that you can edit "
         "afterwards under More ▾ Batch script"));
  addChoice(tr("Run on"), where_, tr("Either way the job goes on when this window is closed."));
  sbatch_->setPlaceholderText(tr("--partition=gpu --time=24:00:00"));
  sbatch_->setToolTip(tr("Arguments for sbatch, separated by spaces"));
  addChoice(tr("sbatch"), sbatch_, tr("What your cluster asks for; the whole script can be edited under More ▾."));
  connect(kind_, &QComboBox::activated, this, [this](int kind) {
    draft_.setKind(static_cast<DraftKind>(kind));
    fill();
  });
  for (QComboBox* const box : {device_, where_}) connect(box, &QComboBox::currentIndexChanged, this, &JobForm::check);
  connect(sbatch_, &QLineEdit::textChanged, this, &JobForm::check);
}

void JobForm::addChoice(const QString& label, QWidget* choice, const QString& words) {
  auto* const line = new QWidget(this);
  auto* const layout = new QVBoxLayout(line);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(1);
  layout->addWidget(choice);
  auto* const help = new QLabel(words, line);
  help->setWordWrap(true);
  help->setObjectName(QStringLiteral("muted"));
  layout->addWidget(help);
  form_->addRow(label, line);
}

void JobForm::addRow(const QString& key, const QString& label, const QString& help, bool isFile) {
  Row row;
  row.line = new QWidget(this);
  row.edit = new QLineEdit(row.line);
  row.edit->setToolTip(help);
  row.edit->setObjectName(key);
  row.label = new QLabel(label, this);
  row.label->setBuddy(row.edit);
  row.help = new QLabel(help, row.line);
  row.help->setWordWrap(true);
  row.help->setObjectName(QStringLiteral("muted"));
  row.words = help;
  auto* const layout = new QVBoxLayout(row.line);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(1);
  auto* const top = new QHBoxLayout;
  top->addWidget(row.edit);
  if (isFile) {
    auto* const browse = new QToolButton(row.line);
    browse->setText(tr("…"));
    browse->setObjectName(QStringLiteral("framed"));
    browse->setToolTip(tr("Choose a folder; a single file's path can be typed"));
    connect(browse, &QToolButton::clicked, this, [this, key] { chooseFile(key); });
    top->addWidget(browse);
  }
  layout->addLayout(top);
  layout->addWidget(row.help);
  form_->addRow(row.label, row.line);
  rows_.insert(key, row);
  connect(row.edit, &QLineEdit::textEdited, this, [this, key] { rows_[key].isKnown = true; });
  connect(row.edit, &QLineEdit::textChanged, this, [this, key](const QString& text) {
    if (key == nameKey) {
      draft_.name = text;
    } else {
      draft_.setValue(key, text);
    }
    check();
  });
}

void JobForm::chooseFile(const QString& key) {
  auto* const folders = new QFileDialog(this, rows_.value(key).label->text(), field(key)->text());
  folders->setAttribute(Qt::WA_DeleteOnClose);
  folders->setFileMode(QFileDialog::Directory);
  connect(folders, &QFileDialog::fileSelected, field(key), &QLineEdit::setText);
  folders->open();
}

void JobForm::fill() {
  // Each line says its text to the draft, so the draft is asked first.
  const JobDraft draft = draft_;
  field(nameKey)->setText(draft.name);
  for (const JobField& each : jobFields()) {
    const QString key = QLatin1String(each.key);
    const Row& row = rows_[key];
    row.edit->setText(draft.value(key));
    row.line->setVisible(belongs(each, draft.kind()));
    row.label->setVisible(belongs(each, draft.kind()));
  }
  small_->setVisible(draft.kind() == DraftKind::scratch && draft.origin().isEmpty());
  check();
}

QString JobForm::problem(const QString& key) const { return draft_.problems().value(key); }

QString JobForm::command() const {
  std::vector<std::string> words{desk_.program().toStdString()};
  for (const QString& argument : draft_.arguments()) words.push_back(argument.toStdString());
  return QString::fromStdString(jobs::shell_text(words));
}

void JobForm::check() {
  draft_.device = device_->currentData().toString();
  draft_.onSlurm = where_->currentIndex() == 1;
  draft_.sbatch = sbatch_->text();
  sbatch_->setEnabled(draft_.onSlurm);
  const auto problems = draft_.problems();
  const QString bad =
      ThemeSwitch::instance().theme() == Theme::dark ? QStringLiteral("#ff8a4a") : QStringLiteral("#b84a00");
  for (auto row = rows_.begin(); row != rows_.end(); ++row) {
    const bool isBad = problems.contains(row.key()) && (row->isKnown || !row->edit->text().isEmpty());
    row->help->setText(isBad ? QStringLiteral("▲ %1 %2").arg(row->label->text(), problems.value(row.key()))
                             : row->words);
    row->help->setStyleSheet(isBad ? QStringLiteral("color: ") + bad : QString());
    row->edit->setStyleSheet(isBad ? QStringLiteral("border-color: ") + bad : QString());
  }
  command_->setPlainText(command());
  measured_.clear();
  ++asked_;
  forecast_->setText(estimateText());
  if (problems.isEmpty() && !draft_.forecastArguments().isEmpty()) pause_.start();
}

QString JobForm::estimateText() const {
  QStringList parts;
  const JobEstimate estimate = draft_.estimate();
  if (draft_.problems().size() > 2) return tr("Estimates appear when the fields are filled in.");
  if (estimate.parameters > 0) parts << tr("%1 M parameters").arg(estimate.parameters / 1e6, 0, 'f', 1);
  if (!measured_.isEmpty()) {
    parts << measured_;
  } else if (estimate.memory) {
    parts << tr("memory about %1").arg(sizeText(*estimate.memory));
  }
  if (estimate.disk) parts << tr("disk about %1").arg(sizeText(*estimate.disk));
  // Only a speed that was measured here can say how long it takes: the shown job's, as if the sizes were alike.
  const JobRow* const other = desk_.list().find(draft_.origin().isEmpty() ? desk_.shown() : draft_.origin());
  if (estimate.tokens && other != nullptr && other->last && other->last->tokens_per_s.value_or(0) > 0) {
    parts << tr("time about %1 at the %2 tokens/s of %3")
                 .arg(durationText(*estimate.tokens / *other->last->tokens_per_s),
                      QString::number(*other->last->tokens_per_s, 'f', 0),
                      QString::fromStdString(printable(other->entry.name, 60)));
  } else {
    parts << tr("time: known after the first steps");
  }
  return tr("Estimate: %1.").arg(parts.join(QStringLiteral(" · ")));
}

void JobForm::forecast() {
  const int asked = asked_;
  desk_.runCli(draft_.forecastArguments(), this, [this, asked](bool ok, const QString& out, const QString& problem) {
    if (asked != asked_) return;  // the fields have changed since
    const double bytes = QJsonDocument::fromJson(out.toUtf8()).object().value(QStringLiteral("bytes")).toDouble();
    measured_ = ok && bytes > 0 ? tr("memory forecast %1").arg(sizeText(bytes))
                                : tr("no memory forecast: %1").arg(problem.left(200));
    forecast_->setText(estimateText());
  });
}

void JobForm::start() {
  const auto problems = draft_.problems();
  if (!problems.isEmpty()) {
    for (Row& row : rows_) row.isKnown = true;
    check();
    field(problems.firstKey())->setFocus();
    return;
  }
  start_->setEnabled(false);
  problem_->hide();
  desk_.runCli(draft_.arguments(), this, [this](bool ok, const QString&, const QString& problem) {
    start_->setEnabled(true);
    if (ok) {
      Q_EMIT started(draft_.name);
      close();
      return;
    }
    problem_->setText(QStringLiteral("▲ ") + problem);
    problem_->show();
  });
}

}  // namespace natscope::ui
