// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/heads_panel.h"

#include <QCheckBox>
#include <QScopeGuard>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <algorithm>
#include <utility>

#include "core/cache/policy.h"
#include "core/export/head_table.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {

HeadsPanel::HeadsPanel(Workbench& workbench, RunComparison& comparison, QWidget* parent)
    : FigureTablePanel(workbench.sequence(), new QSortFilterProxyModel,
                       tr("A row chooses its head in every view. A header sorts. Ctrl+C copies the selected rows."),
                       parent),
      workbench_(workbench),
      comparison_(comparison),
      thumbnails_(workbench.thumbnails()),
      attentionInstead_(new QCheckBox(tr("what each attends to"), this)) {
  attentionInstead_->setToolTip(
      tr("A row a query head: its entropy, its weight on the first token and on itself, how far back it looks, and how "
         "much of its weight lies on what the kept run had dropped, in place of what it keeps"));
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
  connect(&comparison_, &RunComparison::changed, this, fetchSoon);
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

/// The kept run where it is another one of the same text and as many heads; what is compared with another one than
/// before is fetched again.
void HeadsPanel::findOther() {
  const SequenceRecord& shown = workbench_.sequence().record();
  if (keptRun_ != comparison_.kept()) {
    keptRun_ = comparison_.kept();
    ++others_;
  }
  const std::uint64_t before = std::exchange(other_, {}).id;
  const auto fetchOthers = qScopeGuard([&] { mustFetch_ = mustFetch_ || other_.id != before; });
  if (!keptRun_) return;
  const CacheGeometry& mine = shown.geometry();
  const CacheGeometry& others = keptRun_->record.geometry();
  const std::int64_t common = comparison_.losses().tokens();
  // Every text begins with the same token.
  const bool isSameText = common > 0 && common >= std::min<std::int64_t>({2, shown.size(), keptRun_->record.size()});
  if (!isSameText || mine.layers != others.layers || mine.kv_heads != others.kv_heads) return;
  // To itself nothing is lost.
  const bool isShown = common == shown.size() && common == keptRun_->record.size() &&
                       keptRun_->name == comparison_.presentName() && keptRun_->model == comparison_.presentModel();
  if (isShown) return;
  other_ = {others_, keptRun_->record, workbench_.selection().heads(), common};
}

void HeadsPanel::fetch() {
  mustFetch_ = false;
  thumbnails_.want(*this, isOfAttention() ? workbench_.selection().allHeads() : std::vector<MapId>(), other_);
}

void HeadsPanel::changeTable() {
  mustFetch_ = true;
  refresh();
  // Other columns: what was sorted by is none of them.
  table().sortByColumn(0, Qt::AscendingOrder);
}

void HeadsPanel::refresh() {
  findOther();
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
  std::int64_t compared = 0;
  for (LayerId layer(0); workbench_.tiles().tokens() > 0 && layer.value < selection.layers(); ++layer.value) {
    for (HeadId head(0); head.value < selection.heads(); ++head.value) {
      if (!workbench_.tiles().whyNoMap(layer, head).isEmpty()) continue;
      HeadAttention row{layer, head, kv_head_of(head, selection.heads(), selection.kvHeads()), std::nullopt};
      // One of an earlier, shorter text is another number.
      if (thumbnails_.isUpToDate({layer, head})) {
        known += thumbnails_.isUpToDate({layer, head}, other_) ? 1 : 0;
        const auto thumbnail = thumbnails_.of({layer, head});
        row.means = thumbnail->summary;
        if (row.means) queries = row.means->queries;
        // What was lost to another run is another number, too.
        if (row.means && thumbnail->comparedRun != other_.id) row.means->compared_queries = 0;
        if (row.means) compared = std::max(compared, row.means->compared_queries);
      }
      attention_.push_back(row);
    }
  }
  setTable(attention_table(attention_, other_.id != 0));
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
  QString words = queries == 0 ? tr("%1 heads, of whose weights nothing is known").arg(groupedNumber(all))
                  : queries == tokens
                      ? tr("%1 heads: means over all %2 queries").arg(groupedNumber(all), groupedNumber(tokens))
                      : tr("%1 heads: means over %2 of %3 queries")
                            .arg(groupedNumber(all), groupedNumber(queries), groupedNumber(tokens));
  if (compared > 0) words += tr("; lost: what %1 had dropped").arg(keptRun_->name);
  if (compared > 0 && compared < queries) words += tr(", of %1 queries").arg(groupedNumber(compared));
  say(words);
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
