// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/overview_panel.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/grouped_number.h"
#include "ui/panels/parts/fitting_label.h"
#include "ui/theme/style_sheet.h"

namespace natscope::ui {

OverviewPanel::OverviewPanel(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      grid_(new HeadGridView(workbench.tiles(), workbench.thumbnails(), workbench.sequence(), workbench.selection(),
                             this)),
      head_(new FittingLabel(this)),
      progress_(new QLabel(this)) {
  drawAsPanel(*this);
  progress_->setObjectName(QStringLiteral("muted"));
  auto* const write = new QToolButton(this);
  write->setText(tr("export …"));
  drawWithFrame(*write);
  write->setToolTip(tr("Write the maps of all heads as one figure, or as npy or json"));
  auto* const bar = new QHBoxLayout;
  bar->setContentsMargins(8, 4, 8, 2);
  bar->setSpacing(8);
  bar->addWidget(head_, 1);
  bar->addWidget(progress_);
  bar->addWidget(write);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(grid_, 1);
  connect(write, &QToolButton::clicked, this, &OverviewPanel::exportWanted);
  connect(grid_, &HeadGridView::progressed, this, &OverviewPanel::refresh);
  connect(grid_, &HeadGridView::hovered, this, [this](const QStringList& words) {
    if (words.isEmpty()) return refresh();
    head_->say(words);
  });
  connect(&workbench_.selection(), &Selection::headChanged, this, &OverviewPanel::refresh);
  connect(&workbench_, &Workbench::stateChanged, this, &OverviewPanel::refresh);
  // Of what an engine was asked for before it died nothing comes; a model decides what can be drawn.
  connect(&workbench_.client(), &EngineClient::sequenceRestored, grid_, &HeadGridView::follow);
  connect(&workbench_.client(), &EngineClient::modelOpened, grid_, &HeadGridView::follow);
  refresh();
}

QString OverviewPanel::words() const { return head_->text() + QLatin1Char('\n') + progress_->text(); }

void OverviewPanel::refresh() {
  const Selection& selection = workbench_.selection();
  const qint64 tokens = workbench_.tiles().tokens();
  const auto [drawn, all] = grid_->progress();
  const bool hasHeads = tokens > 0 && selection.layers() > 0;
  const MapId chosen{selection.layer(), selection.head()};
  head_->say(hasHeads ? QStringList{grid_->describe(chosen), grid_->describe(chosen, true)} : QStringList{});
  QString words;
  if (tokens > 0 && all > 0) {
    words = drawn == all ? tr("%1 maps of %2 tokens").arg(groupedNumber(all), groupedNumber(tokens))
                         : tr("%1 of %2 maps").arg(groupedNumber(drawn), groupedNumber(all));
    if (const int missing = selection.layers() * selection.heads() - all; missing > 0)
      words += tr("; %1 were not recorded").arg(missing);
    // They must not take time from what a person waits for.
    if (drawn < all && workbench_.isRunning()) words += tr("; more after the run");
    if (drawn < all && !workbench_.hasWeights()) words += tr("; no engine has this text");
  }
  progress_->setText(words);
}

}  // namespace natscope::ui
