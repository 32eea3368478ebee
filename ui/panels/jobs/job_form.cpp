// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/jobs/job_form.h"

#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QFontDatabase>
#include <QGuiApplication>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPointer>
#include <QPushButton>
#include <QScreen>
#include <QScrollArea>
#include <QVBoxLayout>

#include "ui/models/grouped_number.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {
namespace {

constexpr int forecastPauseMs = 700;
constexpr QSize screenMargin(40, 60);
const QString nameKey = QStringLiteral("name");

constexpr jobs::JobField nameField{.option = "name",
                                   .flag = "--name",
                                   .group = jobs::FieldGroup::data,
                                   .kind = jobs::FieldKind::text,
                                   .label = "Name",
                                   .default_text = "",
                                   .explanation = "How the list and the command line call the job.",
                                   .is_needed = true};

QString sizeText(double bytes) {
  return bytes < 1e9 ? QString::number(bytes / 1048576, 'f', bytes < 1e7 ? 1 : 0) + QStringLiteral(" MiB")
                     : QString::number(bytes / 1073741824, 'f', 1) + QStringLiteral(" GiB");
}

}  // namespace

JobForm::JobForm(JobDesk& desk, const JobDraft& draft, QWidget* parent)
    : QDialog(parent),
      desk_(desk),
      draft_(draft),
      scroll_(new QScrollArea(this)),
      content_(new QWidget(this)),
      form_(new QVBoxLayout),
      kind_(new QComboBox(this)),
      device_(new QComboBox(this)),
      where_(new QComboBox(this)),
      sbatch_(new QLineEdit(this)),
      all_(new QCheckBox(tr("Show every field"), this)),
      forecast_(new QLabel(this)),
      problem_(new QLabel(this)),
      command_(new QPlainTextEdit(this)),
      small_(new QPushButton(tr("Small values"), this)),
      script_(new QPushButton(tr("Edit script …"), this)),
      start_(new QPushButton(tr("Start"), this)) {
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle(draft.origin().isEmpty() ? tr("New training job") : tr("A job like %1").arg(draft.origin()));
  resize(QSize(760, 840).boundedTo(screen()->availableSize() - screenMargin));
  form_->setSpacing(7);
  drawAsPanel(*content_);
  auto* const whole = new QVBoxLayout(content_);
  whole->addLayout(form_);
  whole->addStretch();
  scroll_->setWidget(content_);
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  if (draft_.name.isEmpty()) draft_.name = freeName();
  makeTop();
  auto* const layout = new QVBoxLayout(this);
  layout->addWidget(scroll_, 1);
  layout->addWidget(makeBottom());
  pause_.setSingleShot(true);
  pause_.setInterval(forecastPauseMs);
  connect(&pause_, &QTimer::timeout, this, &JobForm::forecast);
  showFields();
  field(nameKey)->setFocus();
}

QWidget* JobForm::makeBottom() {
  auto* const bottom = new QWidget(this);
  auto* const layout = new QVBoxLayout(bottom);
  layout->setContentsMargins(0, 0, 0, 0);
  command_->setReadOnly(true);
  command_->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
  command_->setFixedHeight(92);
  command_->setToolTip(tr("What Start runs; a terminal does the same with it"));
  forecast_->setWordWrap(true);
  problem_->setWordWrap(true);
  problem_->setTextFormat(Qt::PlainText);
  problem_->hide();
  auto* const copy = new QPushButton(tr("Copy command"), this);
  auto* const cancel = new QPushButton(tr("Close"), this);
  small_->setToolTip(
      tr("What this machine trains in minutes, in place of the paper's size: a small model of your text, or the demo's "
         "full-attention twin on a book that comes with the program"));
  script_->setToolTip(tr("Describe the job and edit what the cluster is given before it is submitted"));
  start_->setDefault(true);
  auto* const buttons = new QHBoxLayout;
  for (QWidget* const widget : std::initializer_list<QWidget*>{small_, copy, all_}) buttons->addWidget(widget);
  buttons->addStretch();
  for (QPushButton* const button : {cancel, script_, start_}) buttons->addWidget(button);
  bottom_ = {command_, small_, copy, all_, cancel, script_, start_};
  layout->addWidget(forecast_);
  layout->addWidget(command_);
  layout->addWidget(problem_);
  layout->addLayout(buttons);
  connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(command()); });
  connect(cancel, &QPushButton::clicked, this, &QDialog::close);
  connect(start_, &QPushButton::clicked, this, [this] { start(true); });
  connect(script_, &QPushButton::clicked, this, [this] { start(false); });
  connect(all_, &QCheckBox::toggled, this, &JobForm::fold);
  connect(small_, &QPushButton::clicked, this, [this] {
    draft_.makeSmall();
    fill();
  });
  return bottom;
}

void JobForm::makeTop() {
  addLine(nameField);
  kind_->addItems({tr("From scratch"), tr("Score layers of a model"), tr("Score layers and LoRA"),
                   tr("Score layers and all weights")});
  kind_->setCurrentIndex(static_cast<int>(draft_.kind()));
  kind_->setEnabled(draft_.origin().isEmpty());
  addChoice(tr("Kind"), kind_,
            tr("A new model and its roles, or an existing one that learns which tokens to keep: by score layers alone "
               "(the paper's way), with small changes to its projections (LoRA), or with all of it."));
  device_->addItem(tr("auto"), QStringLiteral("auto"));
  device_->addItem(tr("CPU"), QStringLiteral("cpu"));
  device_->addItem(tr("GPU"), QStringLiteral("cuda"));
  // A duplicate keeps the device of its origin.
  device_->setEnabled(draft_.origin().isEmpty());
  addChoice(tr("Device"), device_, tr("Where the arithmetic is done. auto: on the GPU where there is one."));
  where_->addItems({tr("This machine"), tr("Slurm cluster")});
  where_->setCurrentIndex(draft_.onSlurm ? 1 : 0);
  sbatch_->setText(draft_.sbatch);
  addChoice(tr("Run on"), where_, tr("Either way the job goes on when this window is closed."));
  sbatch_->setPlaceholderText(tr("--partition=cpu --time=24:00:00"));
  sbatchRow_ = addChoice(
      tr("sbatch"), sbatch_,
      tr("Arguments that your cluster asks for. They go into the batch script; Edit script … shows it before it "
         "is submitted."));
  connect(kind_, &QComboBox::activated, this, [this](int kind) {
    const bool isNameOurs = draft_.name == freeName();
    draft_.setKind(static_cast<DraftKind>(kind));
    if (isNameOurs) draft_.name = freeName();
    showFields();
  });
  for (QComboBox* const box : {device_, where_}) connect(box, &QComboBox::currentIndexChanged, this, &JobForm::check);
  connect(sbatch_, &QLineEdit::textChanged, this, &JobForm::check);
}

QString JobForm::freeName() const {
  const char* const stems[] = {"scratch", "scores", "lora", "tuned"};
  const QString stem = QLatin1String(stems[static_cast<int>(draft_.kind())]);
  int number = 1;
  while (desk_.list().find(stem + u'-' + QString::number(number)) != nullptr) ++number;
  return stem + u'-' + QString::number(number);
}

QWidget* JobForm::addChoice(const QString& label, QWidget* choice, const QString& words) {
  auto* const line = new QWidget(this);
  auto* const row = new QHBoxLayout;
  row->addWidget(choice);
  auto* const name = new QLabel(label, line);
  name->setBuddy(choice);
  choice->setToolTip(words);
  layOutJobLine(*line, name, row, new QLabel(words, line));
  form_->addWidget(line);
  return line;
}

JobFieldLine* JobForm::addLine(const jobs::JobField& field) {
  const QString key = QLatin1String(field.option);
  auto* const line = new JobFieldLine(field, this);
  lines_.insert(key, line);
  form_->addWidget(line);
  connect(line, &JobFieldLine::touched, this, [this, key] { known_.insert(key); });
  connect(line, &JobFieldLine::changed, this, [this, key](const QString& text) {
    if (key == nameKey) {
      draft_.name = text;
    } else {
      draft_.setValue(key, text);
    }
    check();
  });
  return line;
}

void JobForm::showFields() {
  for (const QString& key : lines_.keys()) {
    if (key == nameKey) continue;
    delete lines_.take(key);
  }
  qDeleteAll(std::exchange(headings_, {}));
  for (const jobs::JobField* const each : draft_.fields()) {
    const QString group = tr(jobs::name(each->group));
    if (!headings_.contains(group)) {
      auto* const heading = new QLabel(QStringLiteral("<b>%1</b>").arg(group.toHtmlEscaped()), this);
      heading->setContentsMargins(0, 10, 0, 0);
      headings_.insert(group, heading);
      form_->addWidget(heading);
    }
    addLine(*each);
  }
  orderTabs();
  fill();
}

/// Down the form and then along the buttons; lines that are made anew would else come last.
void JobForm::orderTabs() {
  QWidget* last = field(nameKey);
  for (QWidget* const next : std::initializer_list<QWidget*>{kind_, device_, where_, sbatch_}) {
    setTabOrder(last, next);
    last = next;
  }
  last = field(QLatin1String(draft_.fields().back()->option));
  for (QWidget* const next : bottom_) {
    setTabOrder(last, next);
    last = next;
  }
}

void JobForm::fill() {
  isFilling_ = true;
  // Each line says its text to the draft, so the draft is asked first.
  const JobDraft draft = draft_;
  field(nameKey)->setText(draft.name);
  for (auto line = lines_.cbegin(); line != lines_.cend(); ++line) {
    if (line.key() != nameKey) line.value()->setText(draft.value(line.key()));
  }
  small_->setVisible(draft.origin().isEmpty());
  isFilling_ = false;
  fold();
  check();
}

void JobForm::fold() {
  for (const jobs::JobField* const each : draft_.fields()) {
    // What was changed stays in sight.
    const bool isShown = !each->is_seldom || all_->isChecked() || draft_.isChanged(*each);
    field(QLatin1String(each->option))->setVisible(isShown);
  }
  QTimer::singleShot(0, this, &JobForm::fit);
}

/// Wrapped words need a height that goes with their width, and a scroll area asks for it before lines that are new
/// know theirs.
void JobForm::fit() {
  for (JobFieldLine* const line : lines_) {
    line->layout()->invalidate();
    line->updateGeometry();
  }
  content_->layout()->invalidate();
  content_->setMinimumHeight(content_->layout()->totalHeightForWidth(content_->width()));
}

void JobForm::resizeEvent(QResizeEvent* event) {
  QDialog::resizeEvent(event);
  QTimer::singleShot(0, this, &JobForm::fit);
}

QString JobForm::command() const {
  std::vector<std::string> words;
  // A terminal looks for jobs where its own environment says.
  if (qEnvironmentVariableIsSet("NATSCOPE_JOBS") || desk_.root() != jobs::default_jobs_folder()) {
    words = {"env", "NATSCOPE_JOBS=" + desk_.root().string()};
  }
  words.push_back(desk_.program().toStdString());
  for (const QString& argument : draft_.arguments()) words.push_back(argument.toStdString());
  return QString::fromStdString(jobs::shell_text(words));
}

QString JobForm::forecastText() const { return forecast_->text(); }

QString JobForm::refusal() const { return problem_->isHidden() ? QString() : problem_->text(); }

void JobForm::check() {
  if (isFilling_) return;
  draft_.device = device_->currentData().toString();
  draft_.onSlurm = where_->currentIndex() == 1;
  draft_.sbatch = sbatch_->text();
  sbatchRow_->setVisible(draft_.onSlurm);
  script_->setVisible(draft_.onSlurm);
  start_->setText(draft_.onSlurm ? tr("Submit") : tr("Start"));
  mark();
  // What the command said was about what stood there before.
  problem_->hide();
  command_->setPlainText(command());
  measured_.clear();
  diskBytes_ = 0;
  ++asked_;
  forecast_->setText(estimateText());
  QTimer::singleShot(0, this, &JobForm::fit);
  if (draft_.problems().isEmpty() && !draft_.forecastArguments().isEmpty()) pause_.start();
}

void JobForm::mark() {
  const auto problems = draft_.problems();
  const auto remarks = draft_.remarks(lengthMeasured_);
  for (auto line = lines_.cbegin(); line != lines_.cend(); ++line) {
    const bool isSaid = known_.contains(line.key()) || !line.value()->text().isEmpty();
    const QString problem = isSaid ? problems.value(line.key()) : QString();
    line.value()->setProblem(problem, remarks.value(line.key()));
    if (!problem.isEmpty()) line.value()->show();
  }
}

QString JobForm::estimateText() const {
  QStringList parts;
  const auto problems = draft_.problems();
  bool isMissing = false;
  for (const QString& key : problems.keys()) {
    const JobFieldLine* const line = field(key);
    if (key != nameKey && !draft_.value(key).isEmpty())
      return tr("Estimates appear when “%1” is put right.").arg(JobFieldLine::tr(line->field().label));
    // What is only missing (text, a name) does not change what is guessed from sizes.
    isMissing = isMissing || draft_.kind() != DraftKind::scratch;
  }
  if (isMissing) return tr("Estimates appear when the fields are filled in.");
  const JobEstimate estimate = draft_.estimate();
  if (estimate.parameters > 0) parts << tr("%1 M parameters").arg(estimate.parameters / 1e6, 0, 'f', 1);
  if (!measured_.isEmpty()) {
    parts << measured_;
  } else if (estimate.memory) {
    parts << tr("memory about %1").arg(sizeText(*estimate.memory));
  }
  const double disk = estimate.disk.value_or(diskBytes_);
  if (disk > 0) parts << tr("disk about %1").arg(sizeText(disk));
  // Only a speed that was measured here can say how long it takes: the shown job's, as if the sizes were alike.
  const JobRow* const other = desk_.list().find(draft_.origin().isEmpty() ? desk_.shown() : draft_.origin());
  if (estimate.tokens && other != nullptr && other->last && other->last->tokens_per_s.value_or(0) > 0) {
    parts << tr("time about %1 at the %2 tokens/s of %3")
                 .arg(durationText(*estimate.tokens / *other->last->tokens_per_s),
                      speedText(*other->last->tokens_per_s), QString::fromStdString(printable(other->entry.name, 60)));
  } else {
    parts << tr("time: known after the first steps");
  }
  return tr("Estimate: %1.").arg(parts.join(QStringLiteral(" · ")));
}

void JobForm::forecast() {
  const int asked = asked_;
  desk_.runCli(draft_.forecastArguments(), this, [this, asked](bool ok, const QString& out, const QString& problem) {
    if (asked != asked_) return;  // the fields have changed since
    const QJsonObject answer = QJsonDocument::fromJson(out.toUtf8()).object();
    const double bytes = answer.value(QStringLiteral("bytes")).toDouble();
    diskBytes_ = answer.value(QStringLiteral("disk_bytes")).toDouble();
    const bool isOnGpu = answer.value(QStringLiteral("device")).toString() == QStringLiteral("cuda");
    measured_ = ok && bytes > 0
                    ? (isOnGpu ? tr("forecast of the GPU's memory %1 with documents of %2 tokens")
                               : tr("memory forecast %1 with documents of %2 tokens"))
                          .arg(sizeText(bytes), groupedNumber(answer.value(QStringLiteral("tokens")).toInteger()))
                    : tr("no memory forecast: %1").arg(problem.left(200));
    forecast_->setText(estimateText());
    lengthMeasured_ = answer.value(QStringLiteral("tokens")).toInteger();
    mark();
  });
}

void JobForm::sayFirst(const QMap<QString, QString>& problems) {
  JobFieldLine* first = field(nameKey);
  if (!problems.contains(nameKey)) {
    // In the order of the form.
    for (const jobs::JobField* const each : draft_.fields()) {
      first = field(QLatin1String(each->option));
      if (problems.contains(QLatin1String(each->option))) break;
    }
  }
  first->setFocus();
  problem_->setText(QStringLiteral("▲ ") + problems.value(QLatin1String(first->field().option)));
  problem_->show();
  // Its words of help may take more lines now, which are laid out first.
  QTimer::singleShot(0, first, [this, first] {
    QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
    scroll_->ensureWidgetVisible(first);
  });
}

void JobForm::start(bool isStarted) {
  const auto problems = draft_.problems();
  if (!problems.isEmpty()) {
    for (const QString& key : lines_.keys()) known_.insert(key);
    check();
    sayFirst(problems);
    return;
  }
  start_->setEnabled(false);
  script_->setEnabled(false);
  problem_->hide();
  // The command reads a tokenizer and the text first: seconds in which something must be seen to happen.
  if (isStarted) start_->setText(draft_.onSlurm ? tr("Submitting …") : tr("Starting …"));
  const QString doing = !isStarted       ? tr("Describing %1 …")
                        : draft_.onSlurm ? tr("Submitting %1 …")
                                         : tr("Starting %1 …");
  Q_EMIT desk_.said(doing.arg(draft_.name));
  const QString done = !isStarted       ? tr("%1 is described and waits for its start")
                       : draft_.onSlurm ? tr("%1 is submitted")
                                        : tr("%1 is started");
  desk_.runCli(draft_.arguments(isStarted), &desk_,
               [form = QPointer(this), desk = &desk_, isStarted, done, job = draft_.name](bool ok, const QString&,
                                                                                          const QString& problem) {
                 Q_EMIT desk->said(ok ? done.arg(job) : tr("%1 is not started").arg(job));
                 if (form) {
                   form->end(ok, isStarted, job, problem);
                 } else if (!ok) {  // closed meanwhile, and yet somebody waits for the job
                   Q_EMIT desk->failed(make_error(ErrorCode::bad_job, problem.toStdString(), "look at its options"));
                 }
               });
}

void JobForm::end(bool ok, bool isStarted, const QString& job, const QString& problem) {
  start_->setEnabled(true);
  script_->setEnabled(true);
  start_->setText(draft_.onSlurm ? tr("Submit") : tr("Start"));
  if (!ok) {
    problem_->setText(QStringLiteral("▲ ") + problem);
    problem_->show();
    return;
  }
  if (isStarted) {
    Q_EMIT started(job);
  } else {
    Q_EMIT described(job);
  }
  close();
}

}  // namespace natscope::ui
