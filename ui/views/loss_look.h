// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>

#include "core/export/loss_text.h"
#include "ui/figure/token_box.h"

namespace natscope::ui {

/// In the window's colours, up to full_loss: ui/figure/token_box.h. Plain where it is not known.
[[nodiscard]] TokenLook lookOfLoss(std::optional<double> loss);

/// The same of a difference; fullest at `range` and beyond.
[[nodiscard]] TokenLook lookOfLossDifference(std::optional<double> difference, double range);

/// The legend of either in one line: a bar with its ends in numbers, and the unit.
class LossLegend : public QWidget {
  Q_OBJECT

 public:
  explicit LossLegend(QWidget* parent = nullptr);

  /// `more`: what else there is to say, at the end of the tooltip.
  void showLosses(const QString& more = {});
  void showDifferences(double range, const QString& more = {});
  /// As it reads, bar left out.
  [[nodiscard]] QString words() const { return before_ + QLatin1Char(' ') + after_; }

  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void setWords(const QString& before, const QString& after);

  std::optional<double> range_;  // of differences; none: losses
  QString before_;
  QString after_;
};

}  // namespace natscope::ui
