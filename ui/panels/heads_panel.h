// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/explore/head_summary.h"
#include "core/export/attention_table.h"
#include "ui/models/runs/run_comparison.h"
#include "ui/models/workbench.h"
#include "ui/panels/figure_table_panel.h"

class QCheckBox;

namespace natscope::ui {

/// All heads as a table: what each KV head keeps, or what each query head attends to. The current row is the chosen
/// head, here and in every other view.
///
/// What heads attend to comes with their maps (HeadThumbnails), which are fetched while the table of it is seen; beside
/// a kept run of the same text it says how much of that the kept run had dropped.
class HeadsPanel : public FigureTablePanel {
  Q_OBJECT

 public:
  HeadsPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  [[nodiscard]] QCheckBox& attentionInstead() { return *attentionInstead_; }
  /// Whether the table is of what heads attend to.
  [[nodiscard]] bool isOfAttention() const;

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  void refresh() override;
  void choose(std::size_t row) override;
  void fetch();
  void showKept();
  void showAttention();
  void changeTable();
  void showChosenHead();
  void findOther();

  Workbench& workbench_;
  RunComparison& comparison_;
  HeadThumbnails& thumbnails_;
  QCheckBox* attentionInstead_;
  std::vector<HeadSummary> kept_;           // of the rows, or …
  std::vector<HeadAttention> attention_;    // … these
  std::shared_ptr<const KeptRun> keptRun_;  // that other_ is of
  OtherRun other_;
  std::uint64_t others_ = 0;  // how many there were
  bool mustFetch_ = false;    // there may be other maps to be had than when they were asked for
  bool isChoosing_ = false;
};

}  // namespace natscope::ui
