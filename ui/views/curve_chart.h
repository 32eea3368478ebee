// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPen>
#include <QWidget>
#include <vector>

#include "ui/models/job_curves.h"

class QCustomPlot;
class QLabel;

namespace natscope::ui {

/// One line of a chart; the chart copies the points.
struct ChartLine {
  QString name;  ///< short: it stands in the readout
  const Curve* curve = nullptr;
  QPen pen;
  bool hasDots = false;  ///< for few points, and to tell lines apart without colour
};

/// A small chart against training steps, with its title and the values under the mouse (or the last ones) above it.
class CurveChart : public QWidget {
  Q_OBJECT

 public:
  enum class Scale { fromZero, tight, percent };

  CurveChart(const QString& title, Scale scale, const QString& help, QWidget* parent = nullptr);

  void setLines(const std::vector<ChartLine>& lines);
  [[nodiscard]] int lines() const;
  /// Points of all lines.
  [[nodiscard]] int points() const;

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void paintInTheme();
  void sayValues();

  QString title_;
  Scale scale_;
  QLabel* readout_;
  QCustomPlot* plot_;
  std::optional<double> hovered_;
};

}  // namespace natscope::ui
