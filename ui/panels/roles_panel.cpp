// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/roles_panel.h"

#include <QHBoxLayout>
#include <QVBoxLayout>

namespace natscope::ui {

RolesPanel::RolesPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent),
      comparison_(comparison),
      map_(new RoleMapView(workbench.sequence(), workbench.selection(), this)),
      bar_(new QWidget(this)),
      shows_(new QComboBox(bar_)) {
  setObjectName(QStringLiteral("panel"));
  setAttribute(Qt::WA_StyledBackground);
  shows_->addItems({tr("roles of this run"), tr("roles of the kept run"), tr("which cache holds what")});
  shows_->setToolTip(tr("This run, the kept one, or the entries that each of them holds (R)"));
  auto* const line = new QHBoxLayout(bar_);
  line->setContentsMargins(8, 5, 8, 0);
  line->addWidget(shows_);
  line->addStretch(1);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(bar_);
  map_->setSearch(workbench.search());
  layout->addWidget(map_, 1);
  connect(shows_, &QComboBox::currentIndexChanged, this,
          [this](int index) { map_->setShows(static_cast<RoleMapShows>(index)); });
  connect(&comparison_, &RunComparison::changed, this, &RolesPanel::follow);
  follow();
}

void RolesPanel::follow() {
  bar_->setVisible(comparison_.kept() != nullptr);
  map_->setKept(comparison_.kept());
  if (!comparison_.kept()) shows_->setCurrentIndex(0);
}

void RolesPanel::showNext() {
  if (comparison_.kept()) shows_->setCurrentIndex((shows_->currentIndex() + 1) % shows_->count());
}

}  // namespace natscope::ui
