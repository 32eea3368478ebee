// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/token_flow.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace natscope::ui {
namespace {

constexpr double leading = 8;  // room for the mark under a token

QString shownText(const QString& text) {
  QString shown = text;
  shown.replace(u'\n', QChar(u'\u23ce')).replace(u'\t', QChar(u'\u21e5')).remove(u'\r');
  for (QChar& character : shown) {
    if (character.unicode() < 0x20) character = QChar(static_cast<char16_t>(0x2400 + character.unicode()));
  }
  return shown;
}

}  // namespace

void TokenFlow::setWidth(double width) {
  if (width == width_) return;
  width_ = width;
  begin();
  for (std::size_t i = 0; i < tokens_.size(); ++i) place(i);
}

void TokenFlow::clear() {
  tokens_.clear();
  begin();
}

void TokenFlow::begin() {
  nextX_ = 0;
  nextLine_ = 0;
  lineStart_ = wordStart_ = 0;
  beginParagraph(0);
}

void TokenFlow::beginParagraph(std::size_t first) {
  paragraphStart_ = first;
  knowsDirection_ = isRightToLeft_ = hasRightToLeft_ = false;
}

void TokenFlow::append(const QString& text) {
  Token token;
  token.shown = shownText(text);
  token.width = widthOf(token.shown);
  token.beginsWord = text.isEmpty() || text.at(0).isSpace() || tokens_.empty();
  token.endsLine = text.contains(u'\n');
  token.direction = directionOf(text);
  tokens_.push_back(std::move(token));
  place(tokens_.size() - 1);
}

double TokenFlow::widthOf(const QString& shown) {
  const auto known = widths_.constFind(shown);
  if (known != widths_.constEnd()) return *known;
  const double width = std::max(smallestWidth_, metrics_.horizontalAdvance(shown));
  widths_.insert(shown, width);
  return width;
}

/// A paragraph is read as its first letter is. What came before that letter was placed from the left.
void TokenFlow::followDirection(std::size_t index) {
  Token& token = tokens_[index];
  const bool isRight = token.direction == TokenDirection::rightToLeft;
  if (!knowsDirection_ && (isRight || token.direction == TokenDirection::leftToRight)) {
    knowsDirection_ = true;
    isRightToLeft_ = isRight;
    if (isRight) turnParagraph(index);
  }
  token.isParagraphRightToLeft = isRightToLeft_;
  token.isReadFromRight = false;
}

void TokenFlow::turnParagraph(std::size_t end) {
  for (std::size_t first = paragraphStart_; first < end;) {
    std::size_t next = first;
    while (next < end && tokens_[next].line == tokens_[first].line) tokens_[next++].isParagraphRightToLeft = true;
    orderLine(first, next);
    first = next;
  }
}

/// Gives the tokens of a line their places from left to right, at the right end where the paragraph begins there.
void TokenFlow::orderLine(std::size_t first, std::size_t end) {
  if (first >= end) return;
  // The space that a token begins with stands between it and the one before: a year and a name are not one run.
  constexpr std::size_t space = std::numeric_limits<std::size_t>::max();
  std::vector<TokenDirection> directions;
  std::vector<std::size_t> ofToken;
  double width = 0;
  for (std::size_t i = first; i < end; ++i) {
    if (tokens_[i].beginsWord) {
      directions.push_back(TokenDirection::neutral);
      ofToken.push_back(space);
    }
    directions.push_back(tokens_[i].direction);
    ofToken.push_back(i);
    width += tokens_[i].width;
  }
  const bool isRight = tokens_[first].isParagraphRightToLeft;
  const std::vector<int> levels = bidiLevels(directions, isRight);
  double x = isRight ? std::max(0.0, width_ - width) : 0;
  for (const std::size_t at : visualOrder(levels)) {
    if (ofToken[at] == space) continue;
    Token& token = tokens_[ofToken[at]];
    token.isReadFromRight = levels[at] % 2 == 1;
    token.x = x;
    x += token.width;
  }
}

void TokenFlow::place(std::size_t index) {
  Token& token = tokens_[index];
  followDirection(index);
  if (token.beginsWord) wordStart_ = index;
  if (nextX_ + token.width > width_ && index > lineStart_) {
    // The whole word moves down, unless it fills the line by itself.
    const std::size_t begun = std::exchange(lineStart_, wordStart_ > lineStart_ ? wordStart_ : index);
    if (hasRightToLeft_ || isRightToLeft_) orderLine(begun, lineStart_);
    hasRightToLeft_ = false;
    ++nextLine_;
    nextX_ = 0;
    for (std::size_t moved = lineStart_; moved < index; ++moved) {
      tokens_[moved].x = nextX_;
      tokens_[moved].line = nextLine_;
      tokens_[moved].isReadFromRight = false;
      hasRightToLeft_ = hasRightToLeft_ || tokens_[moved].direction == TokenDirection::rightToLeft;
      nextX_ += tokens_[moved].width;
    }
  }
  token.x = nextX_;
  token.line = nextLine_;
  nextX_ += token.width;
  hasRightToLeft_ = hasRightToLeft_ || token.direction == TokenDirection::rightToLeft;
  if (hasRightToLeft_ || isRightToLeft_) orderLine(lineStart_, index + 1);
  if (token.endsLine) {
    ++nextLine_;
    nextX_ = 0;
    lineStart_ = wordStart_ = index + 1;
    beginParagraph(index + 1);
  }
}

double TokenFlow::lineHeight() const { return std::ceil(metrics_.height() + leading); }

double TokenFlow::height() const { return tokens_.empty() ? 0 : (tokens_.back().line + 1) * lineHeight(); }

QRectF TokenFlow::rectOf(std::size_t token) const {
  const Token& placed = tokens_[token];
  return {placed.x, placed.line * lineHeight(), placed.width, lineHeight()};
}

std::size_t TokenFlow::firstAtOrBelow(double y) const {
  const int line = static_cast<int>(std::floor(y / lineHeight()));
  const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), line,
                                      [](const Token& token, int wanted) { return token.line < wanted; });
  return static_cast<std::size_t>(found - tokens_.begin());
}

std::optional<std::size_t> TokenFlow::tokenNearest(QPointF at) const {
  if (at.y() < 0) return std::nullopt;
  std::optional<std::size_t> nearest;
  double least = 0;
  for (std::size_t i = firstAtOrBelow(at.y()); i < tokens_.size(); ++i) {
    const QRectF rect = rectOf(i);
    if (rect.top() > at.y()) break;
    const double away = std::max({rect.left() - at.x(), at.x() - rect.right(), 0.0});
    if (nearest && away >= least) continue;
    nearest = i;
    least = away;
  }
  return nearest;
}

std::optional<std::size_t> TokenFlow::tokenAt(QPointF at) const {
  const auto nearest = tokenNearest(at);
  return nearest && rectOf(*nearest).contains(at) ? nearest : std::nullopt;
}

}  // namespace natscope::ui
