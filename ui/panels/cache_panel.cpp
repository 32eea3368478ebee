// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/cache_panel.h"

#include <QHBoxLayout>
#include <QSplitter>

#include "ui/views/cache_chart_view.h"
#include "ui/views/head_bars_view.h"
#include "ui/views/role_mix_view.h"

namespace natscope::ui {

CachePanel::CachePanel(Workbench& workbench, QWidget* parent) : QWidget(parent) {
  setObjectName(QStringLiteral("panel"));
  setAttribute(Qt::WA_StyledBackground);
  auto* const parts = new QSplitter(this);
  parts->setObjectName(QStringLiteral("cacheParts"));  // under which its positions are remembered
  parts->setChildrenCollapsible(false);
  parts->addWidget(new CacheChartView(workbench.sequence(), workbench.selection(), parts));
  parts->addWidget(new HeadBarsView(workbench.sequence(), workbench.selection(), parts));
  parts->addWidget(new RoleMixView(workbench.sequence(), workbench.selection(), parts));
  parts->setStretchFactor(0, 5);
  parts->setStretchFactor(1, 3);
  parts->setStretchFactor(2, 2);
  auto* const layout = new QHBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(parts);
}

}  // namespace natscope::ui
