// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/token_flow.h"

#include <algorithm>
#include <cmath>

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
  nextX_ = 0;
  nextLine_ = 0;
  lineStart_ = wordStart_ = 0;
  for (std::size_t i = 0; i < tokens_.size(); ++i) place(i);
}

void TokenFlow::setMetrics(const QFontMetricsF& metrics) {
  metrics_ = metrics;
  widths_.clear();
  for (Token& token : tokens_) token.width = widthOf(token.shown);
  const double width = std::exchange(width_, -1);
  setWidth(width);
}

void TokenFlow::clear() {
  tokens_.clear();
  nextX_ = 0;
  nextLine_ = 0;
  lineStart_ = wordStart_ = 0;
}

void TokenFlow::append(const QString& text) {
  Token token;
  token.shown = shownText(text);
  token.width = widthOf(token.shown);
  token.beginsWord = text.isEmpty() || text.at(0).isSpace() || tokens_.empty();
  token.endsLine = text.contains(u'\n');
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

void TokenFlow::place(std::size_t index) {
  Token& token = tokens_[index];
  if (token.beginsWord) wordStart_ = index;
  if (nextX_ + token.width > width_ && index > lineStart_) {
    // The whole word moves down, unless it fills the line by itself.
    lineStart_ = wordStart_ > lineStart_ ? wordStart_ : index;
    ++nextLine_;
    nextX_ = 0;
    for (std::size_t moved = lineStart_; moved < index; ++moved) {
      tokens_[moved].x = nextX_;
      tokens_[moved].line = nextLine_;
      nextX_ += tokens_[moved].width;
    }
  }
  token.x = nextX_;
  token.line = nextLine_;
  nextX_ += token.width;
  if (token.endsLine) {
    ++nextLine_;
    nextX_ = 0;
    lineStart_ = wordStart_ = index + 1;
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

std::optional<std::size_t> TokenFlow::tokenAt(QPointF at) const {
  for (std::size_t i = firstAtOrBelow(at.y()); i < tokens_.size(); ++i) {
    const QRectF rect = rectOf(i);
    if (rect.top() > at.y()) break;
    if (rect.contains(at)) return i;
  }
  return std::nullopt;
}

}  // namespace natscope::ui
