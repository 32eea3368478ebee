// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/token_search.h"

#include <algorithm>

namespace natscope::ui {

TokenSearch::TokenSearch(SequenceModel& sequence, Selection& selection, QObject* parent)
    : QObject(parent), sequence_(sequence), selection_(selection) {
  connect(&sequence_, &SequenceModel::extended, this, [this] {
    if (text_.isEmpty() && !token_) return;
    readOn();
    Q_EMIT changed();
  });
  connect(&sequence_, &SequenceModel::restarted, this, &TokenSearch::restart);
}

void TokenSearch::setText(const QString& text) {
  text_ = text;
  token_.reset();
  restart();
}

void TokenSearch::setToken(std::int32_t token, const QString& name) {
  text_ = name;
  token_ = token;
  restart();
}

void TokenSearch::restart() {
  whole_.clear();
  starts_.clear();
  matches_.clear();
  soughtTo_ = 0;
  readOn();
  Q_EMIT changed();
}

void TokenSearch::readTokensOn() {
  for (; soughtTo_ < sequence_.size(); ++soughtTo_) {
    const TokenPos position(static_cast<std::int32_t>(soughtTo_));
    if (sequence_.record().frame(position).token == token_) matches_.push_back({position, position});
  }
}

void TokenSearch::readOn() {
  if (token_) return readTokensOn();
  if (text_.isEmpty()) return;
  for (auto i = static_cast<std::int32_t>(starts_.size()); i < sequence_.size(); ++i) {
    starts_.push_back(whole_.size());
    whole_ += sequence_.text(TokenPos(i));
  }
  const bool hasUpper = std::any_of(text_.begin(), text_.end(), [](QChar letter) { return letter.isUpper(); });
  const Qt::CaseSensitivity sensitivity = hasUpper ? Qt::CaseSensitive : Qt::CaseInsensitive;
  for (qsizetype at = whole_.indexOf(text_, soughtTo_, sensitivity); at >= 0;
       at = whole_.indexOf(text_, soughtTo_, sensitivity)) {
    soughtTo_ = at + text_.size();
    matches_.push_back({TokenPos(tokenAt(at)), TokenPos(tokenAt(soughtTo_ - 1))});
  }
  // A match may yet begin in the last letters.
  soughtTo_ = std::max(soughtTo_, whole_.size() - text_.size() + 1);
}

std::int32_t TokenSearch::tokenAt(qsizetype offset) const {
  // Of tokens without text, which begin where the next one does, the last is the one that has the letter.
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  return static_cast<std::int32_t>(after - starts_.begin()) - 1;
}

bool TokenSearch::isFound(TokenPos position) const {
  const auto after = std::upper_bound(matches_.begin(), matches_.end(), position,
                                      [](TokenPos wanted, const Match& match) { return wanted < match.first; });
  // Two matches may share a token, and the later one begins in it: the one before reaches no further than its own.
  return after != matches_.begin() && position <= std::prev(after)->last;
}

std::optional<std::size_t> TokenSearch::current() const {
  if (selection_.pinned().empty()) return std::nullopt;
  const TokenPos selected = selection_.pinned().back();
  const auto found =
      std::find_if(matches_.begin(), matches_.end(), [&](const Match& match) { return match.first == selected; });
  if (found == matches_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - matches_.begin());
}

void TokenSearch::goTo(std::size_t match) {
  const TokenPos position = matches_[match].first;
  selection_.hover(std::nullopt);  // a cursor that rests somewhere must not hide where one went
  selection_.pin(position);
  Q_EMIT jumped(position);
  Q_EMIT changed();
}

const TokenSearch::Match* TokenSearch::upcoming() const {
  if (matches_.empty()) return nullptr;
  const std::int32_t selected = selection_.pinned().empty() ? -1 : selection_.pinned().back().value;
  const auto found =
      std::find_if(matches_.begin(), matches_.end(), [&](const Match& match) { return match.first.value > selected; });
  return found == matches_.end() ? &matches_.front() : &*found;
}

void TokenSearch::next() {
  if (const Match* const match = upcoming()) goTo(static_cast<std::size_t>(match - matches_.data()));
}

void TokenSearch::previous() {
  if (matches_.empty()) return;
  const std::int32_t selected = selection_.pinned().empty() ? 0 : selection_.pinned().back().value;
  const auto found = std::find_if(matches_.rbegin(), matches_.rend(),
                                  [&](const Match& match) { return match.first.value < selected; });
  goTo(found == matches_.rend() ? matches_.size() - 1 : static_cast<std::size_t>(matches_.rend() - found) - 1);
}

}  // namespace natscope::ui
