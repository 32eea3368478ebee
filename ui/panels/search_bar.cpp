// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/search_bar.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QToolButton>

#include "ui/models/grouped_number.h"
#include "ui/theme/icons.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {

SearchBar::SearchBar(TokenSearch& search, QWidget* parent)
    : QWidget(parent), search_(search), field_(new QLineEdit(this)), count_(new QLabel(this)) {
  field_->setObjectName(QStringLiteral("search"));
  field_->setPlaceholderText(tr("Find in the text"));
  field_->setToolTip(
      tr("Return: next, Shift+Return: previous, Esc: end. Upper and lower case are told apart when an "
         "upper-case letter is typed."));
  field_->installEventFilter(this);
  count_->setObjectName(QStringLiteral("muted"));
  auto* const line = new QHBoxLayout(this);
  line->setContentsMargins(8, 2, 8, 3);
  line->setSpacing(4);
  line->addWidget(field_, 1);
  line->addWidget(count_);
  const auto addButton = [&](const QString& words, const QString& tip, auto what) {
    auto* const button = new QToolButton(this);
    button->setText(words);
    button->setToolTip(tip);
    drawWithFrame(*button);
    button->setFocusPolicy(Qt::NoFocus);
    connect(button, &QToolButton::clicked, this, what);
    line->addWidget(button);
    return button;
  };
  addButton(QStringLiteral("↑"), tr("Previous match (Shift+F3)"), [this] { search_.previous(); });
  addButton(QStringLiteral("↓"), tr("Next match (F3)"), [this] { search_.next(); });
  auto* const close = addButton(QString(), tr("End the search (Esc)"), [this] { end(); });
  showThemedIcon(*close, QStringLiteral("close"));
  connect(field_, &QLineEdit::textChanged, this, [this](const QString& text) {
    search_.setText(text);
    if (isVisible()) Q_EMIT typed();
  });
  connect(&search_, &TokenSearch::changed, this, &SearchBar::refresh);
  hide();
}

void SearchBar::begin() {
  if (isHidden()) Q_EMIT begun();
  show();
  search_.setText(field_->text());
  field_->setFocus(Qt::ShortcutFocusReason);
  field_->selectAll();
}

void SearchBar::beginToken(std::int32_t token, const QString& name) {
  show();
  {
    const QSignalBlocker quiet(field_);  // it is not the name that is sought
    field_->setText(name);
  }
  search_.setToken(token, name);
}

void SearchBar::end() {
  const bool hadFocus = field_->hasFocus();
  hide();
  search_.setText(QString());
  if (hadFocus && parentWidget() != nullptr) parentWidget()->setFocus();
}

bool SearchBar::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::ShortcutOverride && event->type() != QEvent::KeyPress)
    return QWidget::eventFilter(watched, event);
  const auto* const key = static_cast<QKeyEvent*>(event);
  const bool isReturn = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
  const bool isPlain = (key->modifiers() & ~(Qt::ShiftModifier | Qt::KeypadModifier)) == Qt::NoModifier;
  if ((!isReturn && key->key() != Qt::Key_Escape) || !isPlain) return QWidget::eventFilter(watched, event);
  event->accept();  // the window's Esc is for when one is not searching
  if (event->type() == QEvent::ShortcutOverride) return true;
  if (!isReturn) {
    end();
  } else if (key->modifiers().testFlag(Qt::ShiftModifier)) {
    search_.previous();
  } else {
    search_.next();
  }
  return true;
}

void SearchBar::refresh() {
  const std::size_t count = search_.matches().size();
  if (search_.text().isEmpty() && !search_.token()) return count_->clear();
  const auto current = search_.current();
  const QString all = groupedNumber(static_cast<std::int64_t>(count));
  const QString found = count == 0 ? tr("not found")
                        : current  ? tr("%1 of %2").arg(groupedNumber(static_cast<std::int64_t>(*current) + 1), all)
                                   : tr("%1 found").arg(all);
  count_->setText(search_.token() ? tr("token %1: ").arg(*search_.token()) + found : found);
}

}  // namespace natscope::ui
