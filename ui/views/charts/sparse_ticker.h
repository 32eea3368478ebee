// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "ui/views/charts/plot_library.h"

namespace natscope::ui {

/// A number in few letters: "3.269", "1,500", "12.5k", "2M", and "5e-4" where `largest`, the largest of those that
/// stand together, is below a hundredth.
[[nodiscard]] QString shortNumber(double value, double largest);
[[nodiscard]] inline QString shortNumber(double value) { return shortNumber(value, value); }

/// Ticks of a small chart: as many as its labels leave room for, at multiples of 1, 2 or 5 · 10^k (of 2.5 · 10^k where
/// values are not whole). The axis' unit stands at its last label, or, as a word, before the first.
class SparseTicker : public QCPAxisTicker {
 public:
  explicit SparseTicker(const QCPAxis& axis) : axis_(axis) {}

  void setWhole(bool isWhole) { isWhole_ = isWhole; }
  void setFirstWord(const QString& word) { firstWord_ = word; }
  void setLastUnit(const QString& unit) { lastUnit_ = unit; }

 protected:
  double getTickStep(const QCPRange& range) override;
  int getSubTickCount(double tickStep) override;
  QVector<QString> createLabelVector(const QVector<double>& ticks, const QLocale& locale, QChar format,
                                     int precision) override;

 private:
  const QCPAxis& axis_;
  bool isWhole_ = false;
  QString firstWord_;
  QString lastUnit_;
};

}  // namespace natscope::ui
