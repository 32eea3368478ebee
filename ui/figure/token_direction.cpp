// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/token_direction.h"

#include <QChar>
#include <QList>
#include <algorithm>
#include <numeric>

namespace natscope::ui {

TokenDirection directionOf(const QString& text) {
  bool hasDigits = false;
  for (const char32_t letter : text.toUcs4()) {
    switch (QChar::direction(letter)) {
      case QChar::DirL:
        return TokenDirection::leftToRight;
      case QChar::DirR:
      case QChar::DirAL:
        return TokenDirection::rightToLeft;
      case QChar::DirEN:
      case QChar::DirAN:
        hasDigits = true;
        break;
      default:
        break;
    }
  }
  return hasDigits ? TokenDirection::number : TokenDirection::neutral;
}

std::vector<int> bidiLevels(std::span<const TokenDirection> line, bool isParagraphRightToLeft) {
  std::vector<TokenDirection> resolved(line.begin(), line.end());
  // W7: digits after Latin letters are read with them.
  bool isAfterLatin = !isParagraphRightToLeft;
  for (TokenDirection& token : resolved) {
    if (token == TokenDirection::number && isAfterLatin) token = TokenDirection::leftToRight;
    if (token == TokenDirection::leftToRight) isAfterLatin = true;
    if (token == TokenDirection::rightToLeft) isAfterLatin = false;
  }
  // N1, N2: what is neutral goes with both of its neighbours where they agree, else with the paragraph.
  const auto isFromRight = [](TokenDirection token) { return token != TokenDirection::leftToRight; };
  for (std::size_t begin = 0; begin < resolved.size();) {
    if (resolved[begin] != TokenDirection::neutral) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < resolved.size() && resolved[end] == TokenDirection::neutral) ++end;
    const bool before = begin > 0 ? isFromRight(resolved[begin - 1]) : isParagraphRightToLeft;
    const bool after = end < resolved.size() ? isFromRight(resolved[end]) : isParagraphRightToLeft;
    const bool isRight = before == after ? before : isParagraphRightToLeft;
    const auto direction = isRight ? TokenDirection::rightToLeft : TokenDirection::leftToRight;
    std::fill(resolved.begin() + static_cast<std::ptrdiff_t>(begin),
              resolved.begin() + static_cast<std::ptrdiff_t>(end), direction);
    begin = end;
  }
  // I1, I2.
  std::vector<int> levels;
  for (const TokenDirection token : resolved) {
    const bool isLatin = token == TokenDirection::leftToRight;
    levels.push_back(token == TokenDirection::rightToLeft ? 1 : isLatin && !isParagraphRightToLeft ? 0 : 2);
  }
  return levels;
}

std::vector<std::size_t> visualOrder(std::span<const int> levels) {
  std::vector<std::size_t> order(levels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // L2: from the highest level down to the lowest odd one, every run of that level or higher is turned round.
  for (int level = 2; level >= 1; --level) {
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin;
      while (end < order.size() && levels[order[end]] >= level) ++end;
      std::reverse(order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(end));
      begin = std::max(end, begin + 1);
    }
  }
  return order;
}

}  // namespace natscope::ui
