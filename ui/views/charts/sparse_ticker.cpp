// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/charts/sparse_ticker.h"

#include <QFontMetrics>
#include <algorithm>
#include <cmath>

#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

constexpr int roomBetween = 12;  // pixels between two numbers beside each other
// What labels and margins take of the plot. Its rectangle is not known before the ticks are.
constexpr int besideAxis = 50;
constexpr int belowAxis = 26;

/// The smallest good step that is at least `least`.
double goodStep(double least, bool isWhole) {
  if (!(least > 0) || !std::isfinite(least)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (isWhole && factor == 2.5) continue;
    // Not held up by the last bit of a power of ten.
    if (factor * power >= least * (1 - 1e-9)) return isWhole ? std::max(1.0, factor * power) : factor * power;
  }
  return isWhole ? std::max(1.0, 10 * power) : 10 * power;
}

}  // namespace

QString shortNumber(double value, double largest) {
  const double size = std::abs(value);
  if (size == 0) return QStringLiteral("0");
  if (size >= 999'950) return QString::number(value / 1e6, 'g', 4) + u'M';
  if (size >= 9'999.5) return QString::number(value / 1e3, 'g', 4) + u'k';
  if (size >= 1000) return groupedNumber(std::llround(value));
  if (std::abs(largest) >= 0.01) return QString::number(value, 'g', 4);
  // "7.50e-04" has three letters too many.
  const QStringList parts = QString::number(value, 'e', 2).split(u'e');
  return QString::number(parts.value(0).toDouble()) + u'e' + QString::number(parts.value(1).toInt());
}

double SparseTicker::getTickStep(const QCPRange& range) {
  const QFontMetrics metrics(axis_.tickLabelFont());
  const bool isAcross = axis_.orientation() == Qt::Horizontal;
  const QRect plot = axis_.parentPlot()->viewport();
  const int length = isAcross ? plot.width() - besideAxis : plot.height() - belowAxis;
  const double apart =
      isAcross ? metrics.horizontalAdvance(QStringLiteral("00000")) + roomBetween : 1.3 * metrics.height();
  return goodStep(range.size() * apart / std::max(1, length), isWhole_);
}

int SparseTicker::getSubTickCount(double /*tickStep*/) { return 0; }

QVector<QString> SparseTicker::createLabelVector(const QVector<double>& ticks, const QLocale& /*locale*/,
                                                 QChar /*format*/, int /*precision*/) {
  QVector<QString> labels;
  if (ticks.isEmpty()) return labels;
  const double largest = std::max(std::abs(ticks.first()), std::abs(ticks.last()));
  for (const double tick : ticks) {
    // A sum of steps ends beside nought.
    const bool isNought = std::abs(tick) < 1e-9 * largest;
    labels.append(shortNumber(isNought ? 0 : tick, largest));
  }
  if (!firstWord_.isEmpty()) labels.first().prepend(firstWord_ + u' ');
  if (!lastUnit_.isEmpty()) labels.last().append(u' ' + lastUnit_);
  return labels;
}

}  // namespace natscope::ui
