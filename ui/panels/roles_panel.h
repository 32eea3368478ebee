// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QWidget>

#include "ui/models/runs/run_comparison.h"
#include "ui/views/maps/role_map_view.h"

namespace natscope::ui {

/// The role map; while a run is kept, with the choice between this run's, the kept one's, and which entries each of
/// their caches holds; while window or roles were set by hand, with a line that says so and takes them back.
class RolesPanel : public QWidget {
  Q_OBJECT

 public:
  RolesPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent = nullptr);

  [[nodiscard]] RoleMapView& map() { return *map_; }
  /// Now → kept → difference → now. Nothing without a kept run.
  void showNext();
  /// Actions that set the role of one token in one head, in all of them, or take that back. They replace what the menu
  /// had.
  void fillRoleMenu(QMenu& menu, LayerId layer, KvHeadId kvHead, TokenPos position);

  /// As without the choice of runs: the map gives way to it, or the window would have to grow.
  [[nodiscard]] QSize minimumSizeHint() const override;

 private:
  void follow();
  void followChanges();
  void addRoleActions(QMenu& menu, LayerId layer, KvHeadId kvHead, TokenPos position);
  /// One head, or with `everywhere` all heads of all layers. No role: as the policy decides.
  void setRole(LayerId layer, KvHeadId kvHead, TokenPos position, bool everywhere, std::optional<Role> role);

  Workbench& workbench_;
  RunComparison& comparison_;
  RoleMapView* map_;
  QWidget* bar_;
  QComboBox* shows_;
  QWidget* changesBar_;
  QLabel* changes_;
  QPushButton* takeBack_;
};

}  // namespace natscope::ui
