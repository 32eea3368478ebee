// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"

class QCustomPlot;
class QCPItemStraightLine;
class QLabel;

namespace natscope::ui {

/// The cache's three numbers against tokens: dense (what full attention would hold), live (the rules), allocated
/// (pages). Grows while text is generated; each step costs the new points. Hover reads a step off, click pins its
/// token.
class CacheChartView : public QWidget {
  Q_OBJECT

 public:
  CacheChartView(SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  /// Points on each line, for tests.
  [[nodiscard]] int points() const;

  [[nodiscard]] QSize sizeHint() const override { return {520, 180}; }

 private:
  void restart();
  void forget();
  void extend();
  void paintInTheme();
  void showStep();
  [[nodiscard]] std::optional<TokenPos> stepAt(double x) const;

  SequenceModel& sequence_;
  Selection& selection_;
  QCustomPlot* plot_;
  QCPItemStraightLine* cursor_;
  QLabel* readout_;
  std::int64_t drawn_ = 0;
  std::int64_t firstAllocated_ = 0;
};

}  // namespace natscope::ui
