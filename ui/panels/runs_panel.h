// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/export/series_chart.h"
#include "ui/models/runs/baseline_runs.h"
#include "ui/models/runs/run_list.h"
#include "ui/panels/figure_table_panel.h"

class QMenu;
class QToolButton;

namespace natscope::ui {

class TradeOffView;

/// The run that is shown beside those that were kept: a table, and what each policy costs against what it loses. A row
/// or point chooses the run that is compared with. Baselines at a budget are read with one click.
class RunsPanel : public FigureTablePanel {
  Q_OBJECT

 public:
  RunsPanel(Workbench& workbench, RunComparison& comparison, BaselineRuns& baselines, QWidget* parent = nullptr);

  [[nodiscard]] TradeOffView& chart() { return *chart_; }
  [[nodiscard]] QMenu& budgets() { return *budgets_; }
  /// What is drawn and written of the runs of this text.
  [[nodiscard]] SeriesChart figure() const;

 private:
  void refresh() override;
  void choose(std::size_t row) override;
  void fillBudgets();
  void follow();

  RunComparison& comparison_;
  BaselineRuns& baselines_;
  RunList list_;
  std::vector<RunList::Row> rows_;
  QMenu* budgets_;
  QToolButton* begin_;
  TradeOffView* chart_;
};

}  // namespace natscope::ui
