// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/explore/head_summary.h"
#include "ui/models/workbench.h"
#include "ui/panels/figure_table_panel.h"

namespace natscope::ui {

/// All heads as a table. The current row is the chosen head, here and in every other view.
class HeadsPanel : public FigureTablePanel {
  Q_OBJECT

 public:
  explicit HeadsPanel(Workbench& workbench, QWidget* parent = nullptr);

 private:
  void refresh() override;
  void choose(std::size_t row) override;
  void showChosenHead();

  Workbench& workbench_;
  std::vector<HeadSummary> heads_;  // of the rows
  bool isChoosing_ = false;
};

}  // namespace natscope::ui
