// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/jobs/job_field_line.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

QStringList choicesOf(const jobs::JobField& field) {
  return QString::fromUtf8(field.choices).split(u' ', Qt::SkipEmptyParts);
}

}  // namespace

void layOutJobLine(QWidget& line, QLabel* label, QLayout* row, QLabel* help) {
  constexpr int labelWidth = 136;
  auto* const across = new QHBoxLayout(&line);
  across->setContentsMargins(0, 0, 0, 0);
  across->setSpacing(10);
  label->setFixedWidth(labelWidth);
  label->setContentsMargins(0, 3, 0, 0);
  across->addWidget(label, 0, Qt::AlignTop);
  auto* const column = new QVBoxLayout;
  column->setSpacing(1);
  column->addLayout(row);
  column->addWidget(help);
  across->addLayout(column, 1);
  help->setWordWrap(true);
  help->setTextFormat(Qt::PlainText);
  help->setObjectName(QStringLiteral("muted"));
}

JobFieldLine::JobFieldLine(const jobs::JobField& field, QWidget* parent)
    : QWidget(parent), field_(field), label_(new QLabel(tr(field.label), this)), help_(new QLabel(this)) {
  words_ = tr(field.explanation);
  if (*field.paper != '\0') words_ += tr(" Paper: %1.").arg(tr(field.paper));
  auto* const row = new QHBoxLayout;
  switch (field.kind) {
    case jobs::FieldKind::choice:
      makeChoice(*row);
      break;
    case jobs::FieldKind::list:
    case jobs::FieldKind::yes_no:
      makeChecks(*row);
      break;
    default:
      makeText(*row);
  }
  help_->setText(words_);
  layOutJobLine(*this, label_, row, help_);
  setToolTip(QStringLiteral("%1 %2").arg(words_, QLatin1String(field.flag)));
  label_->setToolTip(toolTip());
}

void JobFieldLine::makeText(QHBoxLayout& row) {
  edit_ = new QLineEdit(this);
  edit_->setObjectName(QLatin1String(field_.option));
  label_->setBuddy(edit_);
  setFocusProxy(edit_);
  row.addWidget(edit_);
  connect(edit_, &QLineEdit::textEdited, this, &JobFieldLine::touched);
  connect(edit_, &QLineEdit::textChanged, this, &JobFieldLine::changed);
  if (field_.kind != jobs::FieldKind::path) return;
  auto* const browse = new QToolButton(this);
  browse->setText(tr("…"));
  drawWithFrame(*browse);
  browse->setToolTip(tr("Choose a folder; a single file's path can be typed"));
  connect(browse, &QToolButton::clicked, this, &JobFieldLine::chooseFile);
  row.addWidget(browse);
}

void JobFieldLine::makeChoice(QHBoxLayout& row) {
  choice_ = new QComboBox(this);
  choice_->setObjectName(QLatin1String(field_.option));
  choice_->addItems(choicesOf(field_));
  label_->setBuddy(choice_);
  setFocusProxy(choice_);
  row.addWidget(choice_);
  connect(choice_, &QComboBox::currentTextChanged, this, &JobFieldLine::changed);
}

void JobFieldLine::makeChecks(QHBoxLayout& row) {
  const bool isList = field_.kind == jobs::FieldKind::list;
  row.setSpacing(14);
  for (const QString& choice : isList ? choicesOf(field_) : QStringList{tr("yes")}) {
    auto* const check = new QCheckBox(choice, this);
    check->setObjectName(isList ? choice : QString::fromLatin1(field_.option));
    checks_.append(check);
    row.addWidget(check);
    connect(check, &QCheckBox::clicked, this, &JobFieldLine::touched);
    connect(check, &QCheckBox::toggled, this, [this] { Q_EMIT changed(text()); });
  }
  row.addStretch();
  setFocusProxy(checks_.front());
}

QString JobFieldLine::text() const {
  if (edit_ != nullptr) return edit_->text();
  if (choice_ != nullptr) return choice_->currentText();
  if (field_.kind == jobs::FieldKind::yes_no) {
    return checks_.front()->isChecked() ? QStringLiteral("true") : QStringLiteral("false");
  }
  QStringList chosen;
  for (const QCheckBox* const check : checks_) {
    if (check->isChecked()) chosen << check->text();
  }
  return chosen.join(u',');
}

void JobFieldLine::setText(const QString& text) {
  if (edit_ != nullptr) {
    edit_->setText(text);
  } else if (choice_ != nullptr) {
    choice_->setCurrentText(text);
  } else if (field_.kind == jobs::FieldKind::yes_no) {
    checks_.front()->setChecked(text == QStringLiteral("true"));
  } else {
    const QStringList chosen = text.split(u',');
    for (QCheckBox* const check : checks_) check->setChecked(chosen.contains(check->text()));
  }
}

void JobFieldLine::setProblem(const QString& problem, const QString& remark) {
  const QString bad = problemInk(ThemeSwitch::instance().theme()).name();
  const bool isBad = !problem.isEmpty();
  help_->setText(isBad              ? QStringLiteral("▲ ") + problem
                 : remark.isEmpty() ? words_
                                    : QStringLiteral("△ %1 %2").arg(remark, words_));
  help_->setStyleSheet(isBad ? QStringLiteral("color: ") + bad : QString());
  if (edit_ != nullptr) edit_->setStyleSheet(isBad ? QStringLiteral("border-color: ") + bad : QString());
}

void JobFieldLine::chooseFile() {
  auto* const folders = new QFileDialog(this, label_->text(), text());
  folders->setAttribute(Qt::WA_DeleteOnClose);
  folders->setFileMode(QFileDialog::Directory);
  connect(folders, &QFileDialog::fileSelected, this, [this](const QString& path) {
    Q_EMIT touched();
    setText(path);
  });
  folders->open();
}

}  // namespace natscope::ui
