// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/heads_panel.h"

#include <QSortFilterProxyModel>
#include <QTableView>
#include <algorithm>

#include "core/cache/policy.h"
#include "core/export/head_table.h"

namespace natscope::ui {

HeadsPanel::HeadsPanel(Workbench& workbench, QWidget* parent)
    : FigureTablePanel(workbench.sequence(), new QSortFilterProxyModel,
                       tr("A row chooses its head in every view. A header sorts. Ctrl+C copies the selected rows."),
                       parent),
      workbench_(workbench) {
  table().sortByColumn(0, Qt::AscendingOrder);
  connect(&model(), &QAbstractItemModel::modelReset, this, &HeadsPanel::showChosenHead);
  connect(&workbench_.selection(), &Selection::headChanged, this, &HeadsPanel::showChosenHead);
  HeadsPanel::refresh();
}

void HeadsPanel::refresh() {
  const SequenceRecord& record = workbench_.sequence().record();
  const std::string& policy = workbench_.client().policy();
  heads_ = head_summaries(record);
  setTable(head_table(heads_, policy));
  showChosenHead();
  if (record.size() == 0) return say(tr("Heads appear when a text was analysed."));
  const QString held = QString::number(100 * record.frames().back().counts.fraction, 'f', 1);
  QString words =
      tr("%1 heads after token %2: %3 % of the cache held").arg(heads_.size()).arg(record.size() - 1).arg(held);
  if (!has_roles(policy)) words += tr("; H2O measures attention and has no roles");
  say(words);
}

void HeadsPanel::showChosenHead() {
  if (isChoosing_) return;
  const Selection& selection = workbench_.selection();
  const auto chosen = std::ranges::find_if(heads_, [&](const HeadSummary& head) {
    return head.layer == selection.layer() && head.kv_head == selection.kvHead();
  });
  if (chosen != heads_.end()) setCurrent(static_cast<int>(chosen - heads_.begin()));
}

void HeadsPanel::choose(std::size_t row) {
  const HeadSummary head = heads_[row];
  // On the way from one head to the other the table stays as it is: several rows may be being selected.
  isChoosing_ = true;
  workbench_.selection().setLayer(head.layer);
  workbench_.selection().setKvHead(head.kv_head);
  isChoosing_ = false;
}

}  // namespace natscope::ui
