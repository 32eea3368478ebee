// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/cache_panel.h"

#include <QAbstractItemView>
#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/grouped_number.h"
#include "ui/theme/style_sheet.h"
#include "ui/views/charts/cache_chart_view.h"
#include "ui/views/charts/head_bars_view.h"
#include "ui/views/charts/role_mix_view.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

constexpr int mostLetters = 48;  // of a kept run in the line above the chart
constexpr int listMargin = 24;

}  // namespace

CachePanel::CachePanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : QWidget(parent),
      comparison_(comparison),
      chart_(new CacheChartView(workbench.sequence(), workbench.selection(), this)),
      keep_(new QToolButton(this)),
      bar_(new QWidget(this)),
      which_(new QComboBox(bar_)),
      drop_(new QToolButton(bar_)),
      words_(new QLabel(bar_)) {
  drawAsPanel(*this);
  keep_->setText(tr("keep this run"));
  drawWithFrame(*keep_);
  keep_->setToolTip(
      tr("Set this run aside: its curve and roles stay while another policy, W or text is tried (Ctrl+K).\n"
         "Of several that are kept one is compared with."));
  which_->setObjectName(QStringLiteral("keptRuns"));
  which_->setToolTip(tr("Which of the kept runs this one is compared with: its policy, and its tokens"));
  which_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  which_->setMaximumWidth(mostLetters * which_->fontMetrics().averageCharWidth());
  connect(which_, &QComboBox::activated, &comparison_, &RunComparison::choose);
  drop_->setText(tr("drop it"));
  drawWithFrame(*drop_);
  drop_->setToolTip(tr("Forget the kept run that is compared with (Ctrl+Shift+K)"));
  words_->setObjectName(QStringLiteral("compared"));
  words_->setTextFormat(Qt::RichText);
  words_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  words_->setMinimumWidth(1);
  words_->installEventFilter(this);  // what is left out depends on its width
  connect(keep_, &QToolButton::clicked, &comparison_, &RunComparison::keep);
  connect(drop_, &QToolButton::clicked, &comparison_, &RunComparison::drop);

  auto* const line = new QHBoxLayout(bar_);
  line->setContentsMargins(8, 3, 8, 0);
  line->addWidget(words_, 1);
  line->addWidget(which_);
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
  // It comes after tokens that were added, too.
  connect(&workbench, &Workbench::stateChanged, this, &CachePanel::follow);
  follow();
}

QSize CachePanel::minimumSizeHint() const {
  const QSize least = QWidget::minimumSizeHint();
  return bar_->isHidden() ? least : least - QSize(0, bar_->minimumSizeHint().height());
}

void CachePanel::follow() {
  keep_->setEnabled(comparison_.canKeep());
  bar_->setVisible(comparison_.kept() != nullptr);
  listKept();
  sayCompared();
  chart_->setKept(comparison_.kept());
}

void CachePanel::listKept() {
  const auto& runs = comparison_.runs();
  which_->setVisible(runs.size() > 1);
  QStringList words;
  for (const auto& run : runs)
    words << tr("%1: %2 · %3").arg(QString::number(words.size() + 1), run->name, tokensInWords(run->record.size()));
  QStringList listed;
  for (int i = 0; i < which_->count(); ++i) listed << which_->itemText(i);
  if (words != listed) {
    which_->clear();
    which_->addItems(words);
    // The list itself has room for all of it.
    which_->view()->setMinimumWidth(which_->view()->sizeHintForColumn(0) + listMargin);
  }
  const auto chosen = std::find(runs.begin(), runs.end(), comparison_.kept());
  which_->setCurrentIndex(chosen == runs.end() ? -1 : static_cast<int>(chosen - runs.begin()));
}

void CachePanel::sayCompared() {
  const QString all = comparison_.inWords();
  QString words = all;
  for (int leftOut = 1; leftOut <= RunComparison::mostLeftOut; ++leftOut) {
    if (!words_->isVisible() || richWidth(words, words_->font()) <= words_->width()) break;
    words = comparison_.inWords(leftOut);
  }
  words_->setText(words);
  words_->setToolTip(all);
}

bool CachePanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == words_ && (event->type() == QEvent::Resize || event->type() == QEvent::Show)) sayCompared();
  return QWidget::eventFilter(watched, event);
}

}  // namespace natscope::ui
