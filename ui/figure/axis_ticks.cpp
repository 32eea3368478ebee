// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/axis_ticks.h"

#include <algorithm>
#include <cmath>

namespace natscope::ui {
namespace {

/// 1e-5 for what is else written 1e-05; whole numbers that are not very large have all their digits.
QString shortNumber(double value, int digits) {
  if (value >= 1 && value < 1e5) digits = std::max(digits, 1 + static_cast<int>(std::log10(std::round(value))));
  return QString::number(value, 'g', digits).replace(QLatin1String("e-0"), QLatin1String("e-"));
}

/// factor · 10^k within the range, for every `decades`th k.
std::vector<double> decadeValues(const ScaleRange& range, std::initializer_list<double> factors, int decades) {
  std::vector<double> values;
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::ceil(std::log10(range.high)));
  for (int k = first; k <= last; ++k) {
    if (k % decades != 0) continue;
    for (const double factor : factors) {
      const double value = factor * std::pow(10.0, k);
      if (value > range.low && value < range.high) values.push_back(value);
    }
  }
  return values;
}

/// Multiples of 1, 2, 2.5 or 5 · 10^k within the range, about `wanted` of them.
std::vector<double> multiples(const ScaleRange& range, int wanted) {
  const double step = valueTicks(range.high - range.low, wanted)[1];
  std::vector<double> values;
  for (double n = std::floor(range.low / step) + 1; n * step < range.high * (1 - 1e-9); ++n) values.push_back(n * step);
  return values;
}

/// The finest values of a log scale that leave each other room.
std::vector<double> logValues(const ScaleRange& range, double length, double pitch) {
  const double decade = length / std::log10(range.high / range.low);
  // From 1 to 2 and from 5 to 10 is the least: 0.301 decades.
  if (0.301 * decade >= pitch && decadeValues(range, {1, 2, 5}, 1).size() > 1) return decadeValues(range, {1, 2, 5}, 1);
  const auto decades = static_cast<int>(std::max(1.0, std::ceil(pitch / decade)));
  std::vector<double> values = decadeValues(range, {1}, decades);
  return values.empty() ? multiples(range, static_cast<int>(length / pitch / 2)) : values;
}

}  // namespace

std::vector<std::int64_t> positionTicks(std::int64_t first, std::int64_t count, int maxTicks) {
  std::vector<std::int64_t> ticks;
  if (count <= 0 || maxTicks <= 0) return ticks;
  std::int64_t step = 1;
  const auto needed = [&] { return (first + count - 1) / step - (first + step - 1) / step + 1; };
  for (int turn = 0; needed() > maxTicks; ++turn) step = turn % 3 == 1 ? step / 2 * 5 : step * 2;
  for (std::int64_t tick = (first + step - 1) / step * step; tick < first + count; tick += step) ticks.push_back(tick);
  if (ticks.empty()) ticks.push_back(first);
  return ticks;
}

std::vector<double> valueTicks(double top, int wanted) {
  if (!(top > 0) || !std::isfinite(top)) return {0, 1};
  const double rough = top / std::max(1, wanted);
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * decade >= rough * (1 - 1e-9)) {
      step = factor * decade;
      break;
    }
  }
  std::vector<double> ticks;
  for (int i = 0; ticks.empty() || ticks.back() < top * (1 - 1e-9); ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<BarTick> barTicks(const ScaleRange& range, const ScaleOptions& options, double length, double pitch) {
  const bool isLog = range.kind == ScaleKind::log && range.low > 0;
  const bool isCutAbove = options.range || options.clip_percentile < 100;
  const bool isCutBelow = isLog || range.low > 0;
  const int endDigits = options.range ? 4 : 2;  // what somebody chose stands there as it was chosen
  const auto levelOf = [&](double value) {
    return isLog ? std::log(value / range.low) / std::log(range.high / range.low)
                 : (value - range.low) / (range.high - range.low);
  };
  std::vector<BarTick> ticks{{0, (isCutBelow ? QStringLiteral("≤ ") : QString()) + shortNumber(range.low, endDigits)}};
  const std::vector<double> values =
      isLog ? logValues(range, length, pitch) : multiples(range, std::max(1, static_cast<int>(length / pitch / 2)));
  for (const double value : values) {
    const double level = levelOf(value);
    // The ends say where the colours end, which a round value beside them must not hide.
    const bool hasRoom = (level - ticks.back().level) * length >= pitch && (1 - level) * length >= pitch;
    if (hasRoom) ticks.push_back({level, shortNumber(value, 3)});
  }
  ticks.push_back({1, (isCutAbove ? QStringLiteral("≥ ") : QString()) + shortNumber(range.high, endDigits)});
  return ticks;
}

}  // namespace natscope::ui
