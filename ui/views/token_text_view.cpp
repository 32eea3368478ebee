// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/token_text_view.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>
#include <algorithm>
#include <utility>

#include "ui/models/runs/token_words.h"
#include "ui/theme/theme.h"
#include "ui/views/loss_look.h"
#include "ui/views/role_swatches.h"
#include "ui/views/token_keys.h"

namespace natscope::ui {
namespace {

constexpr double margin = 10;
constexpr int textPixels = 13;

QFont textFont(const QWidget& widget) {
  QFont font = widget.font();
  font.setPixelSize(textPixels);
  return font;
}

}  // namespace

TokenTextView::TokenTextView(SequenceModel& sequence, Selection& selection, QWidget* parent)
    : QAbstractScrollArea(parent), sequence_(sequence), selection_(selection), flow_(QFontMetricsF(textFont(*this))) {
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  viewport()->setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Text, token by token"));
  verticalScrollBar()->setSingleStep(static_cast<int>(flow_.lineHeight()));
  connect(&sequence_, &SequenceModel::extended, this, &TokenTextView::extend);
  connect(&sequence_, &SequenceModel::restarted, this, [this] {
    flow_.clear();
    extend();
  });
  connect(&selection_, &Selection::changed, viewport(), qOverload<>(&QWidget::update));
  connect(&selection_, &Selection::changed, this, &TokenTextView::followPin);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, viewport(), qOverload<>(&QWidget::update));
  extend();
}

void TokenTextView::setColouring(TextColouring colouring) {
  colouring_ = colouring;
  viewport()->update();
}

void TokenTextView::setLosses(LossDifference& losses) {
  losses_ = &losses;
  connect(losses_, &LossDifference::changed, viewport(), qOverload<>(&QWidget::update));
}

void TokenTextView::setPromptTokens(qint64 tokens) {
  promptTokens_ = tokens;
  viewport()->update();
}

void TokenTextView::setFollowUps(std::vector<TokenSpan> spans) {
  followUps_ = std::move(spans);
  viewport()->update();
}

void TokenTextView::setSearch(TokenSearch& search) {
  search_ = &search;
  connect(search_, &TokenSearch::changed, viewport(), qOverload<>(&QWidget::update));
  connect(search_, &TokenSearch::jumped, this, [this](TokenPos position) {
    showToken(position);
    stayHere();
  });
  connect(verticalScrollBar(), &QScrollBar::actionTriggered, this, [this] {
    stays_ = verticalScrollBar()->sliderPosition();  // the value follows when this is said
  });
}

void TokenTextView::stayHere() { stays_ = verticalScrollBar()->value(); }

bool TokenTextView::hasMatchInSight() const {
  const double top = verticalScrollBar()->value();
  const auto& matches = search_->matches();
  const auto placeOf = [this](const TokenSearch::Match& match) {
    return flow_.rectOf(static_cast<std::size_t>(match.first.value)).translated(0, margin);
  };
  const auto first = std::partition_point(matches.begin(), matches.end(),
                                          [&](const TokenSearch::Match& match) { return placeOf(match).top() < top; });
  return first != matches.end() && placeOf(*first).bottom() <= top + viewport()->height();
}

void TokenTextView::showFound() {
  verticalScrollBar()->setValue(stays_);
  const TokenSearch::Match* const next = search_ == nullptr ? nullptr : search_->upcoming();
  if (next != nullptr && !hasMatchInSight()) showToken(next->first);
}

/// A token that is chosen in another view is brought into sight; one that is only pointed at is not: the text would
/// run away under whoever reads it.
void TokenTextView::followPin() {
  const std::vector<TokenPos>& pinned = selection_.pinned();
  const auto pin = pinned.empty() ? std::nullopt : std::optional(pinned.back());
  if (pin == std::exchange(pin_, pin) || !pin) return;
  showToken(*pin);
}

void TokenTextView::showToken(TokenPos position) {
  const auto token = static_cast<std::size_t>(position.value);
  if (position.value < 0 || token >= flow_.size()) return;
  const QRectF place = flow_.rectOf(token).translated(0, margin);
  QScrollBar* const bar = verticalScrollBar();
  if (place.top() >= bar->value() && place.bottom() <= bar->value() + viewport()->height()) return;
  bar->setValue(static_cast<int>(place.center().y() - viewport()->height() / 2.0));
}

void TokenTextView::extend() {
  const bool wasAtEnd = verticalScrollBar()->value() == verticalScrollBar()->maximum();
  const auto size = static_cast<std::size_t>(sequence_.size());
  if (flow_.size() > size) flow_.clear();
  for (std::size_t i = flow_.size(); i < size; ++i)
    flow_.append(sequence_.text(TokenPos(static_cast<std::int32_t>(i))));
  relayout();
  // Generated text is followed, until one scrolls back; a prompt is read from its beginning.
  const bool isGenerated = size > 0 && sequence_.record().frames().back().generated;
  const bool begins = isGenerated && !wasGenerated_;
  wasGenerated_ = isGenerated;
  if (isGenerated && (wasAtEnd || begins)) verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

void TokenTextView::relayout() {
  flow_.setWidth(std::max(40.0, viewport()->width() - 2 * margin));
  const int hidden = static_cast<int>(flow_.height() + 2 * margin) - viewport()->height();
  verticalScrollBar()->setRange(0, std::max(0, hidden));
  verticalScrollBar()->setPageStep(viewport()->height());
  viewport()->update();
}

void TokenTextView::resizeEvent(QResizeEvent*) { relayout(); }

void TokenTextView::paintEvent(QPaintEvent*) {
  QPainter painter(viewport());
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  painter.fillRect(viewport()->rect(), theme.panel);
  if (sequence_.isEmpty()) {
    painter.setPen(theme.muted);
    painter.drawText(viewport()->rect(), Qt::AlignCenter, tr("The text appears here, token by token."));
    return;
  }
  painter.setFont(textFont(*this));
  painter.setRenderHint(QPainter::Antialiasing);
  const QPointF shift(margin, margin - verticalScrollBar()->value());
  for (std::size_t i = flow_.firstAtOrBelow(verticalScrollBar()->value() - margin); i < flow_.size(); ++i) {
    const QRectF rect = flow_.rectOf(i).translated(shift);
    if (rect.top() > viewport()->height()) break;
    drawToken(painter, i, rect);
  }
}

TokenLook TokenTextView::lookOf(TokenPos position) const {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  switch (colouring_) {
    case TextColouring::role:
      break;
    case TextColouring::heldShare:
      return lookOfShare(sequence_.heldShare(position), theme.accent, theme.text);
    case TextColouring::loss:
      return lookOfLoss(sequence_.loss(position));
    case TextColouring::lossDifference:
      return losses_ == nullptr ? lookOfLoss(std::nullopt)
                                : lookOfLossDifference(losses_->at(position), losses_->range());
  }
  const auto roles = sequence_.roles(selection_.layer(), selection_.kvHead());
  const auto token = static_cast<std::size_t>(position.value);
  const Role role = token < roles.size() ? roles[token] : Role::global;
  const Theme shade = ThemeSwitch::instance().theme();
  const bool hasRoles = sequence_.hasRoles();
  const QColor fill = hasRoles ? roleFill(role, shade) : heldFill(shade, false);
  return lookOfRole(hasRoles ? std::optional(role) : std::nullopt,
                    sequence_.isHeld(selection_.layer(), selection_.kvHead(), position),
                    {fill, hasRoles ? roleInk(role, shade) : fill, theme.text, theme.muted});
}

std::optional<TokenTextView::Beginning> TokenTextView::beginningAt(std::size_t token) const {
  const auto at = static_cast<qint64>(token);
  if (at == 0) return std::nullopt;
  const auto begins = [at](const auto& span) { return span.first == at; };
  if (std::ranges::any_of(followUps_, begins)) return Beginning::followUp;
  const bool isBehindFollowUp = std::ranges::any_of(followUps_, [at](const auto& span) { return span.end == at; });
  if (isBehindFollowUp || at == promptTokens_) return Beginning::writing;
  return std::nullopt;
}

void TokenTextView::drawToken(QPainter& painter, std::size_t token, const QRectF& rect) const {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const TokenPos position(static_cast<std::int32_t>(token));
  const QRectF body = boxOf(rect);
  const TokenLook look = lookOf(position);
  const bool isFromRight = flow_.isReadFromRight(token);
  painter.setLayoutDirection(isFromRight ? Qt::RightToLeft : Qt::LeftToRight);
  drawTokenBox(painter, rect, flow_.shown(token), look);
  if (const auto begins = beginningAt(token)) {
    painter.setPen(QPen(*begins == Beginning::writing ? theme.accent : theme.muted, 2));
    const double x = isFromRight ? rect.right() : rect.left();
    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom() - 1));
  }
  if (search_ != nullptr && search_->isFound(position)) drawFound(painter, position, body.adjusted(0, -0.5, 0, 0.5));
  const bool isShown = selection_.token() == position;
  if (!isShown && !selection_.isPinned(position) && selection_.query() != position) return;
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(theme.crosshair, isShown ? 2 : 1,
                      selection_.query() == position && !isShown ? Qt::DashLine : Qt::SolidLine));
  painter.drawRoundedRect(body, 2, 2);
}

/// A frame round what is found, open where the next token belongs to it; neither in a role's colour nor the
/// selection's.
void TokenTextView::drawFound(QPainter& painter, TokenPos position, const QRectF& frame) const {
  painter.setPen(QPen(ThemeSwitch::instance().colours().text, 1.4));
  painter.drawLine(frame.topLeft(), frame.topRight());
  painter.drawLine(frame.bottomLeft(), frame.bottomRight());
  const bool isFromRight = flow_.isReadFromRight(static_cast<std::size_t>(position.value));
  const int left = isFromRight ? 1 : -1;
  if (!search_->isFound(TokenPos(position.value + left))) painter.drawLine(frame.topLeft(), frame.bottomLeft());
  if (!search_->isFound(TokenPos(position.value - left))) painter.drawLine(frame.topRight(), frame.bottomRight());
}

std::optional<TokenPos> TokenTextView::tokenAt(QPointF at) const {
  const auto token = flow_.tokenAt(at - QPointF(margin, margin - verticalScrollBar()->value()));
  if (!token) return std::nullopt;
  return TokenPos(static_cast<std::int32_t>(*token));
}

void TokenTextView::mouseMoveEvent(QMouseEvent* event) { selection_.hover(tokenAt(event->position())); }

void TokenTextView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  if (const auto token = tokenAt(event->position()))
    selection_.pin(*token, event->modifiers().testFlag(Qt::ShiftModifier));
}

std::optional<std::int64_t> TokenTextView::tokenByLine(std::int64_t token, int lines) const {
  if (token < 0) return std::nullopt;
  const QPointF at = flow_.rectOf(static_cast<std::size_t>(token)).center() + QPointF(0, lines * flow_.lineHeight());
  const auto found = flow_.tokenNearest(at);
  return found ? std::optional(static_cast<std::int64_t>(*found)) : std::nullopt;
}

QString TokenTextView::plainText(qint64 first, qint64 end) const {
  const auto frames = sequence_.record().frames();
  std::string text;
  for (qint64 token = std::max<qint64>(0, first); token < end && token < std::ssize(frames); ++token)
    text += frames[static_cast<std::size_t>(token)].text;
  return QString::fromStdString(text);
}

QString TokenTextView::copiedText() const {
  const std::vector<TokenPos>& pinned = selection_.pinned();
  if (pinned.size() < 2) return plainText(0, sequence_.size());
  const auto [first, last] = std::ranges::minmax(pinned, {}, &TokenPos::value);
  return plainText(first.value, last.value + 1);
}

void TokenTextView::fillMenu(QMenu& menu) {
  const auto copy = [](const QString& text) { QGuiApplication::clipboard()->setText(text); };
  QAction* const shown = menu.addAction(
      selection_.pinned().size() < 2 ? tr("Copy the text") : tr("Copy from the first to the last pinned token"), this,
      [this, copy] { copy(copiedText()); });
  shown->setShortcut(QKeySequence::Copy);
  const bool hasWritten = promptTokens_ > 0 && promptTokens_ < sequence_.size();
  menu.addAction(tr("Copy what was written"), this, [this, copy] { copy(plainText(promptTokens_, sequence_.size())); })
      ->setEnabled(hasWritten);
  menu.addAction(tr("Take all of it as the prompt"), this,
                 [this] { Q_EMIT promptWanted(plainText(0, sequence_.size())); })
      ->setEnabled(hasWritten);
  for (QAction* const action : menu.actions()) action->setEnabled(action->isEnabled() && !sequence_.isEmpty());
}

void TokenTextView::contextMenuEvent(QContextMenuEvent* event) {
  auto* const menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  fillMenu(*menu);
  menu->popup(event->globalPos());
}

void TokenTextView::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy)) return QGuiApplication::clipboard()->setText(copiedText());
  const auto tokens = static_cast<std::int64_t>(flow_.size());
  const auto now = selection_.token();
  const std::int64_t token = now && now->value < tokens ? now->value : -1;
  const bool isLineKey = event->key() == Qt::Key_Up || event->key() == Qt::Key_Down;
  int key = event->key();
  // On through the text is where the paragraph goes, as in a field for text.
  if (token >= 0 && flow_.isRightToLeft(static_cast<std::size_t>(token))) {
    if (event->key() == Qt::Key_Left) key = Qt::Key_Right;
    if (event->key() == Qt::Key_Right) key = Qt::Key_Left;
  }
  const auto next = isLineKey ? tokenByLine(token, key == Qt::Key_Down ? 1 : -1) : tokenAfterKey(key, token, tokens);
  if (!next) return QAbstractScrollArea::keyPressEvent(event);
  selection_.hover(std::nullopt);  // a cursor that rests somewhere must not hide where one went
  const TokenPos position(static_cast<std::int32_t>(*next));
  const bool isToAdd = event->modifiers().testFlag(Qt::ShiftModifier);
  // Back over what was added, that is taken away again, as in a field for text.
  if (isToAdd && selection_.isPinned(position) && selection_.isPinned(TokenPos(static_cast<std::int32_t>(token)))) {
    selection_.pin(TokenPos(static_cast<std::int32_t>(token)), true);
  } else {
    selection_.pin(position, isToAdd);
  }
  showToken(position);
}

/// A token's numbers, where the colours are losses.
QString TokenTextView::wordsOf(TokenPos position) const {
  const QString loss = lossWords(sequence_, position);
  if (loss.isEmpty())
    return position.value == 0 ? tr("the first token: nothing was predicted") : tr("its loss is not known");
  if (colouring_ == TextColouring::loss || losses_ == nullptr || !losses_->hasKept()) return loss;
  const QString kept = keptLossWords(*losses_, position);
  return loss + QLatin1Char('\n') + (kept.isEmpty() ? tr("not compared: the kept run reads otherwise here") : kept);
}

bool TokenTextView::viewportEvent(QEvent* event) {
  const bool isOfLosses = colouring_ == TextColouring::loss || colouring_ == TextColouring::lossDifference;
  if (event->type() == QEvent::ToolTip && isOfLosses) {
    const auto* const help = static_cast<QHelpEvent*>(event);
    const auto token = tokenAt(help->pos());
    if (!token || token->value >= sequence_.size()) {
      QToolTip::hideText();
    } else {
      const QRectF place = flow_.rectOf(static_cast<std::size_t>(token->value))
                               .translated(margin, margin - verticalScrollBar()->value());
      QToolTip::showText(help->globalPos(), wordsOf(*token), viewport(), place.toAlignedRect());
    }
    return true;
  }
  if (event->type() == QEvent::Leave) selection_.hover(std::nullopt);
  return QAbstractScrollArea::viewportEvent(event);
}

}  // namespace natscope::ui
