// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/follow_up_bar.h"

#include <QAbstractTextDocumentLayout>
#include <QApplication>
#include <QCheckBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QTextCursor>
#include <QToolButton>
#include <algorithm>

#include "ui/panels/prompt_edit.h"
#include "ui/theme/icons.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {
namespace {

constexpr int mostLines = 5;
/// Under which the text above would have hardly a line.
constexpr int leastRoom = 180;

}  // namespace

FollowUpBar::FollowUpBar(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      field_(new PromptEdit(this)),
      chat_(new QCheckBox(tr("chat turn"), this)),
      send_(new QToolButton(this)) {
  field_->setObjectName(QStringLiteral("followUp"));
  field_->setAccessibleName(tr("Follow-up"));
  field_->setPlaceholderText(tr("Follow-up: go on with a text"));
  field_->setToolTip(tr(
      "<p>What the model is given behind the text above; then it writes on. Nothing before it is read again: it finds "
      "what the cache still holds. Return sends it, Shift+Return begins a line.</p>"));
  field_->setTabChangesFocus(true);
  field_->installEventFilter(this);
  chat_->setObjectName(QStringLiteral("followUpChat"));
  chat_->setToolTip(
      tr("<p>As the next turn of a conversation: with the marks of the model's chat template, which end its answer and "
         "begin the next one.</p>"));
  drawWithFrame(*send_);
  send_->setAccessibleName(tr("Give the follow-up to the model"));
  send_->setFocusPolicy(Qt::NoFocus);
  auto* const line = new QHBoxLayout(this);
  line->setContentsMargins(8, 2, 8, 4);
  line->setSpacing(6);
  line->addWidget(field_, 1);
  line->addWidget(chat_, 0, Qt::AlignBottom);
  line->addWidget(send_, 0, Qt::AlignBottom);
  showThemedIcon(*send_, QStringLiteral("continue"));
  connect(send_, &QToolButton::clicked, this, &FollowUpBar::send);
  connect(field_, &QPlainTextEdit::textChanged, this, &FollowUpBar::refresh);
  connect(field_->document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
          &FollowUpBar::fitHeight);
  connect(&workbench_, &Workbench::stateChanged, this, &FollowUpBar::refresh);
  connect(&workbench_, &Workbench::followUpRead, this, &FollowUpBar::takeAway);
  connect(field_, &PromptEdit::fileDropped, this, &FollowUpBar::fileDropped);
  connect(qApp, &QApplication::focusChanged, this, [this] {
    if (room_ < leastRoom) refresh();
  });
  fitHeight();
  refresh();
}

void FollowUpBar::setChat(bool isTurn) { chat_->setChecked(isTurn); }

void FollowUpBar::setRoom(int height) {
  room_ = height;
  fitHeight();
  refresh();
}

void FollowUpBar::begin() {
  setVisible(workbench_.recording() == nullptr);
  field_->setFocus(Qt::ShortcutFocusReason);
}

QString FollowUpBar::whyNot() const {
  if (workbench_.canFollowUp()) return {};
  if (workbench_.isRunning()) return tr("What runs has to come to its end first; Stop (Ctrl+.) ends it");
  if (!workbench_.canAnalyse()) return tr("No engine has a model open just now");
  if (workbench_.sequence().isEmpty()) return tr("There is no text to go on from");
  return tr("The engine does not have the whole text that is shown");
}

void FollowUpBar::send() {
  if (field_->document()->isEmpty()) return;
  if (const QString why = whyNot(); !why.isEmpty()) return Q_EMIT refused(why);
  sent_ = field_->text();
  workbench_.followUp(sent_, chat_->isVisibleTo(this) && chat_->isChecked());
}

void FollowUpBar::takeAway() {
  if (field_->text() != sent_) return;  // the next one
  QTextCursor cursor(field_->document());
  cursor.select(QTextCursor::Document);
  cursor.removeSelectedText();
}

bool FollowUpBar::isUsed() const {
  // While another window is in front, too.
  const QWidget* const last = window()->focusWidget();
  return !field_->document()->isEmpty() || (last != nullptr && isAncestorOf(last));
}

void FollowUpBar::refresh() {
  const auto& model = workbench_.client().model();
  setVisible(workbench_.recording() == nullptr && (room_ >= leastRoom || isUsed()));
  chat_->setVisible(model && model->chats);
  const QString why = whyNot();
  send_->setEnabled(why.isEmpty() && !field_->document()->isEmpty());
  send_->setToolTip(why.isEmpty() ? tr("Give it to the model and let it write on (Return)") : why);
}

void FollowUpBar::fitHeight() {
  chat_->setFixedHeight(send_->sizeHint().height());  // on one line with it
  // A plain text's layout counts its height in lines.
  const int lines = qRound(field_->document()->documentLayout()->documentSize().height());
  const int spacing = field_->fontMetrics().lineSpacing();
  const int most = std::clamp(1 + (room_ - leastRoom) / spacing, 1, mostLines);
  const int frame = field_->height() - field_->viewport()->height() + 2 * qRound(field_->document()->documentMargin());
  field_->setFixedHeight(std::clamp(lines, 1, most) * spacing + frame + 2);
  field_->setVerticalScrollBarPolicy(lines > most ? Qt::ScrollBarAsNeeded : Qt::ScrollBarAlwaysOff);
}

bool FollowUpBar::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Show || event->type() == QEvent::StyleChange) fitHeight();
  const bool isKey = event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride;
  if (!isKey) return QWidget::eventFilter(watched, event);
  const auto* const key = static_cast<QKeyEvent*>(event);
  const bool isReturn = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
  const auto modifiers = key->modifiers() & ~Qt::KeypadModifier;
  // With Ctrl, too: here it must not begin with the prompt again, as it does elsewhere.
  const bool isToSend = isReturn && (modifiers == Qt::NoModifier || modifiers == Qt::ControlModifier);
  if (!isToSend) return QWidget::eventFilter(watched, event);
  event->accept();
  if (event->type() == QEvent::KeyPress) send();
  return true;
}

}  // namespace natscope::ui
