// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLocale>
#include <QObject>
#include <cstdint>

namespace natscope::ui {

/// 8388608 as 8,388,608: thousands with commas, whatever the user's language does with points.
[[nodiscard]] inline QString groupedNumber(std::int64_t number) {
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(qint64{number});
}

/// 1 token, 8,388,608 tokens.
[[nodiscard]] inline QString tokensInWords(std::int64_t count) {
  return count == 1 ? QObject::tr("1 token") : QObject::tr("%1 tokens").arg(groupedNumber(count));
}

/// Tokens a second, the same wherever they stand: 3,340, 131, 7.5.
[[nodiscard]] inline QString speedText(double tokensPerSecond) {
  return QLocale(QLocale::English, QLocale::UnitedStates).toString(tokensPerSecond, 'f', tokensPerSecond < 10 ? 1 : 0);
}

/// A perplexity, or a difference of two: 40.204, and what a model that knows nothing of a text has as 1.74e+18.
[[nodiscard]] inline QString perplexityText(double perplexity) {
  constexpr double longest = 1e5;
  return QString::number(perplexity, perplexity < longest ? 'f' : 'e', perplexity < longest ? 3 : 2);
}

}  // namespace natscope::ui
