// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/vocabulary_panel.h"

#include <QCheckBox>
#include <QElapsedTimer>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QSpinBox>
#include <QTableView>
#include <initializer_list>
#include <utility>

#include "core/cache/policy.h"
#include "core/export/vocabulary_table.h"
#include "ui/figure/token_label.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

/// Counting stops this long after it began, to go on when the window has done what else there is.
constexpr int sliceMs = 6;

}  // namespace

/// Rows whose token has a text in it and occurs often enough.
class VocabularyRows : public QSortFilterProxyModel {
 public:
  using QSortFilterProxyModel::QSortFilterProxyModel;

  void setWanted(const QString& text, int fewest) {
    wanted_ = text;
    fewest_ = fewest;
    invalidateFilter();
  }

 protected:
  bool filterAcceptsRow(int row, const QModelIndex&) const override {
    const FigureTable& table = static_cast<const FigureTableModel*>(sourceModel())->table();
    const auto at = static_cast<std::size_t>(row);
    const double* const times = table.at(at, table.column_at("occurrences")).number();
    if (times != nullptr && *times < fewest_) return false;
    if (wanted_.isEmpty()) return true;
    const std::string* const text = table.at(at, table.column_at("text")).text();
    return text != nullptr && QString::fromStdString(*text).contains(wanted_, Qt::CaseInsensitive);
  }

 private:
  QString wanted_;
  int fewest_ = 1;
};

VocabularyPanel::VocabularyPanel(Workbench& workbench, QWidget* parent)
    : FigureTablePanel(
          workbench.sequence(), new VocabularyRows,
          tr("A row marks its token wherever it occurs in the text; F3 goes from one to the next. A header "
             "sorts. Ctrl+C copies the selected rows."),
          parent),
      workbench_(workbench),
      rows_(static_cast<VocabularyRows*>(&sorted())),
      wanted_(new QLineEdit(this)),
      fewest_(new QSpinBox(this)),
      chosenHead_(new QCheckBox(tr("this head only"), this)) {
  wanted_->setPlaceholderText(tr("Tokens with …"));
  wanted_->setToolTip(tr("Only tokens with these letters in them"));
  wanted_->setClearButtonEnabled(true);
  wanted_->setMaximumWidth(150);
  fewest_->setRange(1, 1000000);
  fewest_->setPrefix(tr("at least "));
  fewest_->setSuffix(QStringLiteral(" ×"));
  fewest_->setToolTip(tr("Only tokens that occur so often: shares of rare ones say little"));
  chosenHead_->setToolTip(tr("Count in the chosen layer and head alone, not in all of them together"));
  for (QWidget* const field : std::initializer_list<QWidget*>{chosenHead_, wanted_, fewest_}) addField(field);
  slice_.setSingleShot(true);
  connect(&slice_, &QTimer::timeout, this, &VocabularyPanel::countOn);
  connect(wanted_, &QLineEdit::textChanged, this, &VocabularyPanel::filter);
  connect(fewest_, &QSpinBox::valueChanged, this, &VocabularyPanel::filter);
  connect(chosenHead_, &QCheckBox::toggled, this, &VocabularyPanel::refresh);
  connect(&workbench_.selection(), &Selection::headChanged, this, [this] {
    if (isVisible() && chosenHead_->isChecked()) refresh();
  });
  // What was begun is of a sequence that is gone.
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, &VocabularyPanel::drop);
  VocabularyPanel::refresh();
  for (int column = 0; column < model().columnCount(); ++column) {
    if (QLatin1String(model().columnKey(column)) == QLatin1String("cache_share"))
      table().sortByColumn(column, Qt::DescendingOrder);
  }
}

bool VocabularyPanel::isOfOneHead() const { return chosenHead_->isChecked(); }

bool VocabularyPanel::isComplete() const { return !pass_ && shownTokens_ == workbench_.sequence().size(); }

void VocabularyPanel::drop() {
  pass_.reset();
  slice_.stop();
}

void VocabularyPanel::refresh() {
  // A pass of a long text is not begun anew with each token that is written: it would never end.
  isStale_ = pass_.has_value();
  if (!pass_) begin();
}

void VocabularyPanel::begin() {
  const SequenceRecord& record = workbench_.sequence().record();
  pass_.emplace();
  pass_->tokens = record.size();
  pass_->layers = record.geometry().layers;
  pass_->kvHeads = record.geometry().kv_heads;
  pass_->count.begin(record, record.size());
  if (chosenHead_->isChecked()) {
    pass_->heads.emplace_back(workbench_.selection().layer(), workbench_.selection().kvHead());
  } else {
    for (std::int32_t layer = 0; layer < record.geometry().layers; ++layer) {
      for (std::int32_t head = 0; head < record.geometry().kv_heads; ++head)
        pass_->heads.emplace_back(LayerId(layer), KvHeadId(head));
    }
  }
  countOn();
}

void VocabularyPanel::countOn() {
  const SequenceRecord& record = workbench_.sequence().record();
  if (!pass_) return;
  const bool isAnother = record.geometry().layers != pass_->layers || record.geometry().kv_heads != pass_->kvHeads ||
                         record.size() < pass_->tokens;
  if (isAnother) return drop();  // which will be said soon
  QElapsedTimer timer;
  timer.start();
  while (pass_->done < pass_->heads.size()) {
    if (timer.elapsed() >= sliceMs) return slice_.start(0);
    const auto& [layer, head] = pass_->heads[pass_->done++];
    if (layer.value < pass_->layers && head.value < pass_->kvHeads) pass_->count.add_head(record, layer, head);
  }
  show(*pass_);
  pass_.reset();
  if (std::exchange(isStale_, false)) followSoon();
}

void VocabularyPanel::show(const Pass& pass) {
  const std::string& policy = workbench_.client().policy();
  setTable(vocabulary_table(pass.count.items(), pass.count.held_steps(), policy,
                            [this](std::int32_t token) { return workbench_.client().tokenText(token).toStdString(); }));
  shownTokens_ = pass.tokens;
  int row = -1;
  for (std::size_t i = 0; chosen_ && i < pass.count.items().size(); ++i) {
    if (pass.count.items()[i].token == *chosen_) row = static_cast<int>(i);
  }
  setCurrent(row);
  if (pass.tokens == 0) return say(tr("Tokens appear when a text was analysed."));
  QString words = tr("%1 different tokens among %2, ")
                      .arg(groupedNumber(static_cast<qint64>(pass.count.items().size())), groupedNumber(pass.tokens));
  words += pass.heads.size() == 1 && chosenHead_->isChecked()
               ? tr("in layer %1, KV head %2").arg(pass.heads[0].first.value).arg(pass.heads[0].second.value)
               : tr("in all heads");
  if (!has_roles(policy)) words += tr("; %1 has no roles").arg(workbench_.sequence().method());
  say(words);
}

void VocabularyPanel::filter() { rows_->setWanted(wanted_->text(), fewest_->value()); }

void VocabularyPanel::choose(std::size_t row) {
  const FigureTable& table = model().table();
  const double* const token = table.at(row, table.column_at("token")).number();
  const std::string* const text = table.at(row, table.column_at("text")).text();
  if (token == nullptr || text == nullptr) return;
  chosen_ = static_cast<std::int32_t>(*token);
  Q_EMIT tokenChosen(*chosen_, tokenLabel(QString::fromStdString(*text)));
}

}  // namespace natscope::ui
