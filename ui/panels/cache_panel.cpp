// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/cache_panel.h"

#include <QHBoxLayout>
#include <QSplitter>
#include <QVBoxLayout>

#include "ui/views/cache_chart_view.h"
#include "ui/views/head_bars_view.h"
#include "ui/views/role_mix_view.h"

namespace natscope::ui {

CachePanel::CachePanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent),
      comparison_(comparison),
      chart_(new CacheChartView(workbench.sequence(), workbench.selection(), this)),
      keep_(new QToolButton(this)),
      bar_(new QWidget(this)),
      drop_(new QToolButton(bar_)),
      words_(new QLabel(bar_)) {
  setObjectName(QStringLiteral("panel"));
  setAttribute(Qt::WA_StyledBackground);
  keep_->setText(tr("keep this run"));
  keep_->setObjectName(QStringLiteral("framed"));
  keep_->setToolTip(
      tr("Set this run aside: its curve and roles stay while another policy, W or text is tried (Ctrl+K)"));
  drop_->setText(tr("drop it"));
  drop_->setObjectName(QStringLiteral("framed"));
  drop_->setToolTip(tr("Forget the kept run (Ctrl+Shift+K)"));
  words_->setTextFormat(Qt::RichText);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setMinimumWidth(1);
  connect(keep_, &QToolButton::clicked, &comparison_, &RunComparison::keep);
  connect(drop_, &QToolButton::clicked, &comparison_, &RunComparison::drop);

  auto* const line = new QHBoxLayout(bar_);
  line->setContentsMargins(8, 3, 8, 0);
  line->addWidget(words_, 1);
  line->addWidget(drop_);
  chart_->setCorner(keep_);
  chart_->setMinimumWidth(320);  // the words over it may be cut: they must not make the window wider
  auto* const parts = new QSplitter(this);
  parts->setObjectName(QStringLiteral("cacheParts"));  // under which its positions are remembered
  parts->setChildrenCollapsible(false);
  parts->addWidget(chart_);
  parts->addWidget(new HeadBarsView(workbench.sequence(), workbench.selection(), parts));
  parts->addWidget(new RoleMixView(workbench.sequence(), workbench.selection(), parts));
  parts->setStretchFactor(0, 5);
  parts->setStretchFactor(1, 3);
  parts->setStretchFactor(2, 2);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(bar_);
  layout->addWidget(parts, 1);

  connect(&comparison_, &RunComparison::changed, this, &CachePanel::follow);
  connect(&workbench, &Workbench::stateChanged, this, &CachePanel::follow);
  connect(&workbench.sequence(), &SequenceModel::extended, this, &CachePanel::follow);
  follow();
}

void CachePanel::follow() {
  keep_->setEnabled(comparison_.canKeep());
  bar_->setVisible(comparison_.kept() != nullptr);
  const QString words = comparison_.inWords();
  words_->setText(words);
  words_->setToolTip(words);
  chart_->setKept(comparison_.kept());
}

}  // namespace natscope::ui
