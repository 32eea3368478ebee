// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/follow_up_bar.h"

#include <QAbstractTextDocumentLayout>
#include <QCheckBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QToolButton>
#include <algorithm>

#include "ui/panels/prompt_edit.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int mostLines = 5;

}  // namespace

FollowUpBar::FollowUpBar(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      field_(new PromptEdit(this)),
      chat_(new QCheckBox(tr("chat turn"), this)),
      send_(new QToolButton(this)) {
  field_->setObjectName(QStringLiteral("followUp"));
  field_->setPlaceholderText(tr("Follow-up: go on with a text, from the cache as it is"));
  field_->setToolTip(tr(
      "<p>What the model is given behind the text above; then it writes on. Nothing before it is read again: it finds "
      "what the cache still holds. Return sends it, Shift+Return begins a line.</p>"));
  field_->setTabChangesFocus(true);
  field_->installEventFilter(this);
  chat_->setObjectName(QStringLiteral("followUpChat"));
  chat_->setToolTip(
      tr("<p>As the next turn of a conversation: with the marks of the model's chat template, which end its answer and "
         "begin the next one.</p>"));
  send_->setObjectName(QStringLiteral("framed"));
  send_->setToolTip(tr("Give it to the model and let it write on (Return)"));
  send_->setFocusPolicy(Qt::NoFocus);
  auto* const line = new QHBoxLayout(this);
  line->setContentsMargins(8, 2, 8, 4);
  line->setSpacing(6);
  line->addWidget(field_, 1);
  line->addWidget(chat_, 0, Qt::AlignBottom);
  line->addWidget(send_, 0, Qt::AlignBottom);
  const auto paint = [this] { send_->setIcon(themedIcon(QStringLiteral("continue"))); };
  paint();
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, send_, paint);
  connect(send_, &QToolButton::clicked, this, &FollowUpBar::send);
  connect(field_, &QPlainTextEdit::textChanged, this, &FollowUpBar::refresh);
  connect(field_->document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
          &FollowUpBar::fitHeight);
  connect(&workbench_, &Workbench::stateChanged, this, &FollowUpBar::refresh);
  connect(&workbench_, &Workbench::followUpRead, field_, &QPlainTextEdit::clear);
  connect(&workbench_.client(), &EngineClient::modelOpened, this,
          [this](const ModelDescription& model) { setChat(model.chats); });
  fitHeight();
  refresh();
}

void FollowUpBar::setChat(bool isTurn) { chat_->setChecked(isTurn); }

void FollowUpBar::begin() { field_->setFocus(Qt::ShortcutFocusReason); }

void FollowUpBar::send() {
  if (send_->isEnabled()) workbench_.followUp(field_->text(), chat_->isVisibleTo(this) && chat_->isChecked());
}

void FollowUpBar::refresh() {
  const auto& model = workbench_.client().model();
  setVisible(workbench_.recording() == nullptr);
  chat_->setVisible(model && model->chats);
  send_->setEnabled(workbench_.canFollowUp() && !field_->document()->isEmpty());
}

void FollowUpBar::fitHeight() {
  chat_->setFixedHeight(send_->sizeHint().height());  // on one line with it
  // A plain text's layout counts its height in lines.
  const int lines = qRound(field_->document()->documentLayout()->documentSize().height());
  const int frame = field_->height() - field_->viewport()->height() + 2 * qRound(field_->document()->documentMargin());
  field_->setFixedHeight(std::clamp(lines, 1, mostLines) * field_->fontMetrics().lineSpacing() + frame + 2);
  field_->setVerticalScrollBarPolicy(lines > mostLines ? Qt::ScrollBarAsNeeded : Qt::ScrollBarAlwaysOff);
}

bool FollowUpBar::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Show || event->type() == QEvent::StyleChange) fitHeight();
  if (event->type() != QEvent::KeyPress) return QWidget::eventFilter(watched, event);
  const auto* const key = static_cast<QKeyEvent*>(event);
  const bool isReturn = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
  const bool isPlain = (key->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier;
  if (!isReturn || !isPlain) return QWidget::eventFilter(watched, event);
  send();
  return true;
}

}  // namespace natscope::ui
