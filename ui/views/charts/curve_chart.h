// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPen>
#include <QWidget>
#include <limits>
#include <optional>
#include <vector>

#include "ui/models/jobs/job_curves.h"

class QCPGraph;
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
  /// `typical` begins at nought and ends where most values do: single ones far above are marked at the edge.
  enum class Scale { fromZero, typical, tight, percent };

  CurveChart(const QString& title, Scale scale, const QString& help, QWidget* parent = nullptr);

  void setTitle(const QString& title);
  void setLines(const std::vector<ChartLine>& lines);
  [[nodiscard]] int lines() const { return static_cast<int>(graphs_.size()); }
  /// Points of all lines.
  [[nodiscard]] int points() const;
  /// How many of them are higher than the chart.
  [[nodiscard]] int cutPoints() const { return cutPoints_; }

  /// What the title and every value take in one line, and what the first values do without the title.
  [[nodiscard]] int readoutWidth() const;
  [[nodiscard]] int valuesWidth(std::size_t most = std::numeric_limits<std::size_t>::max()) const;
  /// Values under the title, for charts that stand in a row with one that needs it.
  void setTwoLines(bool isTwoLines);
  [[nodiscard]] QString readoutText() const;  ///< as it is shown, without colours

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void leaveEvent(QEvent* event) override;

 private:
  struct Said {
    QString text;
    QColor colour;  ///< of the sign before it
    QString sign;
  };

  void setUpAxes();
  void fitRange(const std::vector<ChartLine>& lines);
  void markCut();
  void paintInTheme();
  void sayValues();
  void say(const QString& title, const std::vector<Said>& values);
  [[nodiscard]] std::vector<Said> values() const;
  [[nodiscard]] QString cutText() const;

  QString title_;
  Scale scale_;
  QString help_;
  QLabel* readout_;
  QCustomPlot* plot_;
  std::vector<QCPGraph*> graphs_;  ///< one a line; the plot owns them
  int cutPoints_ = 0;
  double highest_ = 0;
  bool isTwoLines_ = false;
  std::optional<double> hovered_;  // a whole step
};

}  // namespace natscope::ui
