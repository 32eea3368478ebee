// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>
#include <QWidget>

#include "ui/models/run_comparison.h"
#include "ui/views/role_map_view.h"

namespace natscope::ui {

/// The role map; while a run is kept, with the choice between this run's, the kept one's, and which entries each of
/// their caches holds.
class RolesPanel : public QWidget {
  Q_OBJECT

 public:
  RolesPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  [[nodiscard]] RoleMapView& map() { return *map_; }
  /// Now → kept → difference → now. Nothing without a kept run.
  void showNext();

 private:
  void follow();

  RunComparison& comparison_;
  RoleMapView* map_;
  QWidget* bar_;
  QComboBox* shows_;
};

}  // namespace natscope::ui
