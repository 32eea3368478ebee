// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLocale>
#include <QObject>
#include <cstdint>

#include "core/base/grouped_digits.h"

namespace natscope::ui {

/// Every count and every position that is read in the window, as grouped_digits has it; fields to type in have plain
/// digits.
[[nodiscard]] inline QString groupedNumber(std::int64_t number) {
  return QString::fromStdString(grouped_digits(number));
}

/// 1 token, 8,388,608 tokens.
[[nodiscard]] inline QString tokensInWords(std::int64_t count) {
  return count == 1 ? QObject::tr("1 token") : QObject::tr("%1 tokens").arg(groupedNumber(count));
}

/// Tokens a second, the same wherever they stand: 3,340, 131, 7.5.
[[nodiscard]] inline QString speedText(double tokensPerSecond) {
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(tokensPerSecond, 'f', tokensPerSecond < 10 ? 1 : 0);
}

/// Whole percents, but 99.7 % is not all of them, and 0.3 % not none.
[[nodiscard]] inline QString shareInWords(double share) {
  const double percent = 100 * share;
  const bool isNearEnd = (percent > 0 && percent < 1) || (percent > 99 && percent < 100);
  return QString::number(percent, 'f', isNearEnd ? 1 : 0) + QStringLiteral(" %");
}

/// A share that is compared with others: 0.3142 is 31.4, and as text 31.4 %.
[[nodiscard]] inline QString percentNumber(double share, int decimals = 1) {
  return QString::number(100 * share, 'f', decimals);
}
[[nodiscard]] inline QString percentText(double share) { return percentNumber(share) + QStringLiteral(" %"); }

/// A perplexity, or a difference of two: 40.204, 6,518.598, and what a model that knows nothing of a text has as
/// 1.74e+18.
[[nodiscard]] inline QString perplexityText(double perplexity) {
  constexpr double longest = 1e5;
  if (!(perplexity < longest)) return QString::number(perplexity, 'e', 2);
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(perplexity, 'f', 3);
}

}  // namespace natscope::ui
