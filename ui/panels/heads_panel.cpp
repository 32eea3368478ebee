// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/heads_panel.h"

#include <QCheckBox>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <algorithm>

#include "core/cache/policy.h"
#include "core/export/head_table.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {

HeadsPanel::HeadsPanel(Workbench& workbench, QWidget* parent)
    : FigureTablePanel(workbench.sequence(), new QSortFilterProxyModel,
                       tr("A row chooses its head in every view. A header sorts. Ctrl+C copies the selected rows."),
                       parent),
      workbench_(workbench),
      thumbnails_(workbench.thumbnails()),
      attentionInstead_(new QCheckBox(tr("what each attends to"), this)) {
  attentionInstead_->setToolTip(
      tr("A row a query head: its entropy, its weight on the first token and on itself, in place of what it keeps"));
  addField(attentionInstead_);
  table().sortByColumn(0, Qt::AscendingOrder);
  connect(&model(), &QAbstractItemModel::modelReset, this, &HeadsPanel::showChosenHead);
  connect(&workbench_.selection(), &Selection::headChanged, this, &HeadsPanel::showChosenHead);
  connect(attentionInstead_, &QCheckBox::toggled, this, &HeadsPanel::changeTable);
  const auto followAttention = [this] {
    if (isOfAttention()) followSoon();
  };
  connect(&thumbnails_, &HeadThumbnails::changed, this, followAttention);
  connect(&workbench_, &Workbench::stateChanged, this, followAttention);
  const auto fetchSoon = [this] {
    mustFetch_ = true;
    if (isOfAttention()) followSoon();
  };
  connect(&thumbnails_, &HeadThumbnails::cleared, this, fetchSoon);
  connect(&workbench_.sequence(), &SequenceModel::extended, this, fetchSoon);
  // Of what an engine was asked for before it died nothing comes; a model decides what can be had.
  connect(&workbench_.client(), &EngineClient::sequenceRestored, this, fetchSoon);
  connect(&workbench_.client(), &EngineClient::modelOpened, this, fetchSoon);
  HeadsPanel::refresh();
}

bool HeadsPanel::isOfAttention() const { return attentionInstead_->isChecked(); }

void HeadsPanel::showEvent(QShowEvent* event) {
  mustFetch_ = true;
  FigureTablePanel::showEvent(event);
}

void HeadsPanel::hideEvent(QHideEvent* event) {
  FigureTablePanel::hideEvent(event);
  thumbnails_.want(*this, {});
}

void HeadsPanel::fetch() {
  mustFetch_ = false;
  thumbnails_.want(*this, isOfAttention() ? workbench_.selection().allHeads() : std::vector<MapId>());
}

void HeadsPanel::changeTable() {
  mustFetch_ = true;
  refresh();
  // Other columns: what was sorted by is none of them.
  table().sortByColumn(0, Qt::AscendingOrder);
}

void HeadsPanel::refresh() {
  if (mustFetch_ && isVisible()) fetch();
  if (isOfAttention())
    showAttention();
  else
    showKept();
  showChosenHead();
}

void HeadsPanel::showKept() {
  const SequenceRecord& record = workbench_.sequence().record();
  const std::string& policy = workbench_.client().policy();
  kept_ = head_summaries(record);
  setTable(head_table(kept_, policy));
  if (record.size() == 0) return say(tr("Heads appear when a text was analysed."));
  QString words = tr("%1 heads after token %2: %3 of the cache held")
                      .arg(groupedNumber(static_cast<std::int64_t>(kept_.size())), groupedNumber(record.size() - 1),
                           percentText(record.frames().back().counts.fraction));
  if (!has_roles(policy)) words += tr("; %1 has no roles").arg(QString::fromStdString(method_name(policy)));
  say(words);
}

void HeadsPanel::showAttention() {
  const Selection& selection = workbench_.selection();
  attention_.clear();
  qint64 known = 0;
  std::int64_t queries = 0;
  for (LayerId layer(0); workbench_.tiles().tokens() > 0 && layer.value < selection.layers(); ++layer.value) {
    for (HeadId head(0); head.value < selection.heads(); ++head.value) {
      if (!workbench_.tiles().whyNoMap(layer, head).isEmpty()) continue;
      HeadAttention row{layer, head, kv_head_of(head, selection.heads(), selection.kvHeads()), std::nullopt};
      // One of an earlier, shorter text is another number.
      if (thumbnails_.isUpToDate({layer, head})) {
        ++known;
        row.means = thumbnails_.of({layer, head})->summary;
        if (row.means) queries = row.means->queries;
      }
      attention_.push_back(row);
    }
  }
  setTable(attention_table(attention_));
  const auto all = static_cast<qint64>(attention_.size());
  if (workbench_.tiles().tokens() == 0) return say(tr("Heads appear when a text was analysed."));
  if (all == 0) return say(tr("No map of this run was recorded."));
  if (known < all) {
    QString words = tr("%1 of %2 heads").arg(groupedNumber(known), groupedNumber(all));
    // They must not take time from what a person waits for.
    if (workbench_.isRunning()) words += tr("; more after the run");
    if (!workbench_.hasWeights()) words += tr("; no engine has this text");
    return say(words);
  }
  const qint64 tokens = workbench_.tiles().tokens();
  say(queries == 0        ? tr("%1 heads, of whose weights nothing is known").arg(groupedNumber(all))
      : queries == tokens ? tr("%1 heads: means over all %2 queries").arg(groupedNumber(all), groupedNumber(tokens))
                          : tr("%1 heads: means over %2 of %3 queries")
                                .arg(groupedNumber(all), groupedNumber(queries), groupedNumber(tokens)));
}

void HeadsPanel::showChosenHead() {
  if (isChoosing_) return;
  const Selection& selection = workbench_.selection();
  const auto find = [&](const auto& heads, const auto& isChosen) {
    const auto chosen = std::ranges::find_if(heads, isChosen);
    if (chosen != heads.end()) setCurrent(static_cast<int>(chosen - heads.begin()));
  };
  if (isOfAttention()) {
    find(attention_,
         [&](const HeadAttention& head) { return head.layer == selection.layer() && head.head == selection.head(); });
  } else {
    find(kept_, [&](const HeadSummary& head) {
      return head.layer == selection.layer() && head.kv_head == selection.kvHead();
    });
  }
}

void HeadsPanel::choose(std::size_t row) {
  // On the way from one head to the other the table stays as it is: several rows may be being selected.
  isChoosing_ = true;
  if (isOfAttention())
    workbench_.selection().setLayerAndHead(attention_[row].layer, attention_[row].head);
  else
    workbench_.selection().setLayerAndKvHead(kept_[row].layer, kept_[row].kv_head);
  isChoosing_ = false;
}

}  // namespace natscope::ui
