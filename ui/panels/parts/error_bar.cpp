// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/error_bar.h"

#include <QHBoxLayout>
#include <QRegularExpression>
#include <QStyle>
#include <QToolButton>

#include "ui/theme/icons.h"

namespace natscope::ui {
namespace {

/// A message of several lines is one paragraph here; printable() would show its breaks as \n.
QString sentence(const std::string& text) {
  const QStringList lines = QString::fromStdString(text).split(u'\n', Qt::SkipEmptyParts);
  const std::string joined = lines.join(QStringLiteral(" · ")).toStdString();
  QString words = QString::fromStdString(printable(joined, 400)).toHtmlEscaped();
  // A file's name stays as it is: config.json.
  const qsizetype end = words.indexOf(QRegularExpression(QStringLiteral("[^a-z-]")));
  const bool isName = end > 0 && QStringLiteral("./_").contains(words.at(end));
  if (!words.isEmpty() && !isName) words[0] = words.at(0).toUpper();
  return words;
}

}  // namespace

ErrorBar::ErrorBar(QWidget* parent) : QWidget(parent), words_(new QLabel(this)), offer_(new QPushButton(this)) {
  setObjectName(QStringLiteral("errorBar"));
  setAttribute(Qt::WA_StyledBackground);
  auto* const layout = new QHBoxLayout(this);
  layout->setContentsMargins(12, 5, 6, 5);
  words_->setTextFormat(Qt::RichText);
  words_->setWordWrap(true);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  layout->addWidget(words_, 1);
  offer_->hide();
  layout->addWidget(offer_, 0, Qt::AlignTop);
  connect(offer_, &QPushButton::clicked, this, [this] {
    hide();
    const auto what = what_;  // it may lead to another offer
    what();
  });
  auto* const close = new QToolButton(this);
  close->setToolTip(tr("Dismiss (Esc)"));
  showThemedIcon(*close, QStringLiteral("close"));
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  layout->addWidget(close, 0, Qt::AlignTop);
  hide();
}

void ErrorBar::showError(const Error& error) {
  QString words = QStringLiteral("<b>%1.</b>").arg(sentence(error.message));
  if (!error.hint.empty()) words += QStringLiteral(" %1.").arg(sentence(error.hint));
  words += QStringLiteral(" <span style='font-size:small'>(%1)</span>").arg(QLatin1String(name(error.code)));
  words_->setText(words);
  offer_->hide();
  show();
}

void ErrorBar::offer(const QString& label, std::function<void()> what) {
  what_ = std::move(what);
  offer_->setText(label);
  offer_->show();
}

}  // namespace natscope::ui
