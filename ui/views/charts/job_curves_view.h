// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>

#include "ui/models/jobs/job_desk.h"
#include "ui/views/charts/curve_chart.h"

class QGridLayout;
class QLabel;
class QScrollArea;

namespace natscope::ui {

/// The charts of the shown job, with checked jobs laid over it: loss, KV fraction, learning rate and speed of all of
/// them; roles and layers of the shown one alone.
class JobCurvesView : public QWidget {
  Q_OBJECT

 public:
  explicit JobCurvesView(JobDesk& desk, QWidget* parent = nullptr);

  /// Points that are drawn in all charts.
  [[nodiscard]] int points() const;
  [[nodiscard]] std::array<CurveChart*, 7> charts() const;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  /// Those that have something to show, or will have.
  [[nodiscard]] std::vector<CurveChart*> wantedCharts() const;
  void arrange();
  void draw();

  JobDesk& desk_;
  QLabel* legend_;
  QScrollArea* scroll_;
  QGridLayout* grid_;
  CurveChart* loss_;
  CurveChart* heldOut_;  ///< where a drawn job is fine-tuned
  CurveChart* kv_;
  CurveChart* roles_;
  CurveChart* layers_;
  CurveChart* rate_;
  CurveChart* speed_;
  std::vector<CurveChart*> arranged_;
  int columns_ = 0;
};

}  // namespace natscope::ui
