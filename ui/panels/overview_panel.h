// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workbench.h"
#include "ui/views/maps/head_grid_view.h"

class QLabel;

namespace natscope::ui {

class FittingLabel;

/// The maps of all heads, with what is under the cursor in words and how far they have come.
class OverviewPanel : public QWidget {
  Q_OBJECT

 public:
  explicit OverviewPanel(Workbench& workbench, QWidget* parent = nullptr);

  [[nodiscard]] HeadGridView& grid() { return *grid_; }
  /// What stands above the maps.
  [[nodiscard]] QString words() const;

 Q_SIGNALS:
  void exportWanted();

 private:
  void refresh();

  Workbench& workbench_;
  HeadGridView* grid_;
  FittingLabel* head_;
  QLabel* progress_;
};

}  // namespace natscope::ui
