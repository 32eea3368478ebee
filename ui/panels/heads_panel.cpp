// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/heads_panel.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPainter>
#include <QShortcut>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/views/head_cell_delegate.h"

namespace natscope::ui {
namespace {

/// While text is generated the figures follow this often: fast enough to watch, slow enough to read.
constexpr int refreshPauseMs = 200;
constexpr int rowHeight = 22;
constexpr int narrowestColumn = 70;

/// A header of numbers, which stand at the right, where the style's sort arrow would lie over the words: here it stands
/// before them.
class NumberHeader : public QHeaderView {
 public:
  explicit NumberHeader(QWidget* parent) : QHeaderView(Qt::Horizontal, parent) {
    setSectionsClickable(true);
    setHighlightSections(false);
  }

 protected:
  void initStyleOptionForIndex(QStyleOptionHeader* option, int section) const override {
    QHeaderView::initStyleOptionForIndex(option, section);
    option->sortIndicator = QStyleOptionHeader::None;
  }

  void paintSection(QPainter* painter, const QRect& area, int section) const override {
    // The base class leaves a painter that is set for the next section, not for us.
    painter->save();
    QHeaderView::paintSection(painter, area, section);
    painter->restore();
    if (!isSortIndicatorShown() || sortIndicatorSection() != section) return;
    constexpr double half = 3.5;
    constexpr double height = 4;
    constexpr double margin = 4;  // of a section, as the style sheet has it
    QFont bold = font();
    bold.setBold(true);
    const QString words = model()->headerData(section, orientation()).toString();
    const double right = area.right() - margin - QFontMetricsF(bold).horizontalAdvance(words) - margin;
    const double middle = area.center().y() + 0.5;
    const double tip = sortIndicatorOrder() == Qt::AscendingOrder ? -height / 2 : height / 2;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(Qt::NoPen);
    painter->setBrush(ThemeSwitch::instance().colours().accent);
    painter->drawPolygon(
        QPolygonF{{right - 2 * half, middle - tip}, {right, middle - tip}, {right - half, middle + tip}});
    painter->restore();
  }
};

}  // namespace

HeadsPanel::HeadsPanel(Workbench& workbench, QWidget* parent)
    : QWidget(parent),
      workbench_(workbench),
      model_(new HeadTableModel(this)),
      sorted_(new QSortFilterProxyModel(this)),
      view_(new QTableView(this)),
      words_(new QLabel(this)) {
  setObjectName(QStringLiteral("panel"));
  setAttribute(Qt::WA_StyledBackground);
  sorted_->setSourceModel(model_);
  sorted_->setSortRole(HeadTableModel::numberRole);
  view_->setHorizontalHeader(new NumberHeader(view_));
  view_->setModel(sorted_);
  view_->setItemDelegate(new HeadCellDelegate(view_));
  view_->setSelectionBehavior(QAbstractItemView::SelectRows);
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  view_->setShowGrid(false);
  view_->setTabKeyNavigation(false);
  view_->verticalHeader()->hide();
  view_->verticalHeader()->setDefaultSectionSize(rowHeight);
  view_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
  view_->horizontalHeader()->setMinimumSectionSize(narrowestColumn);
  view_->setSortingEnabled(true);
  view_->sortByColumn(0, Qt::AscendingOrder);
  // Who sorts wants the extreme, not the row that was in sight before: the chosen head's is marked wherever it goes.
  connect(view_->horizontalHeader(), &QHeaderView::sortIndicatorChanged, view_, &QTableView::scrollToTop);
  view_->setToolTip(tr("A row chooses its head in every view. A header sorts. Ctrl+C copies the selected rows."));

  words_->setObjectName(QStringLiteral("muted"));
  auto* const copyRows = new QToolButton(this);
  copyRows->setText(tr("copy"));
  copyRows->setObjectName(QStringLiteral("framed"));
  copyRows->setToolTip(tr("Copy the selected rows, or all, as text with tabs (Ctrl+C)"));
  auto* const write = new QToolButton(this);
  write->setText(tr("export …"));
  write->setObjectName(QStringLiteral("framed"));
  write->setToolTip(tr("Write the table as csv, json or npy"));
  auto* const bar = new QHBoxLayout;
  bar->setContentsMargins(8, 4, 8, 2);
  bar->setSpacing(6);  // a window's style has none between buttons
  bar->addWidget(words_, 1);
  bar->addWidget(copyRows);
  bar->addWidget(write);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar);
  layout->addWidget(view_, 1);

  // Only here: a text that is selected elsewhere has its own Ctrl+C.
  auto* const keys = new QShortcut(QKeySequence::Copy, this);
  keys->setContext(Qt::WidgetWithChildrenShortcut);
  connect(keys, &QShortcut::activated, this, &HeadsPanel::copy);
  connect(copyRows, &QToolButton::clicked, this, &HeadsPanel::copy);
  connect(write, &QToolButton::clicked, this, &HeadsPanel::exportWanted);
  connect(view_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &HeadsPanel::chooseRow);
  connect(model_, &QAbstractItemModel::modelReset, this, &HeadsPanel::showChosenHead);
  connect(&workbench_.selection(), &Selection::headChanged, this, &HeadsPanel::showChosenHead);
  connect(&workbench_.sequence(), &SequenceModel::extended, this, &HeadsPanel::follow);
  connect(&workbench_.sequence(), &SequenceModel::restarted, this, &HeadsPanel::follow);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, view_->viewport(), qOverload<>(&QWidget::update));
  pause_.setSingleShot(true);
  pause_.setInterval(refreshPauseMs);
  connect(&pause_, &QTimer::timeout, this, &HeadsPanel::refresh);
  refresh();
}

void HeadsPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refresh();
}

void HeadsPanel::follow() {
  // A table that nobody sees costs nothing; it is filled when it is shown.
  if (isVisible() && !pause_.isActive()) pause_.start();
}

void HeadsPanel::refresh() {
  const SequenceRecord& record = workbench_.sequence().record();
  model_->setTable(head_table(record, workbench_.client().policy()));
  showChosenHead();
  if (record.size() == 0) {
    words_->setText(tr("Heads appear when a text was analysed."));
    return;
  }
  const QString held = QString::number(100 * record.frames().back().counts.fraction, 'f', 1);
  QString words =
      tr("%1 heads after token %2: %3 % of the cache held").arg(model_->rowCount()).arg(record.size() - 1).arg(held);
  if (!model_->table().has_roles) words += tr("; H2O measures attention and has no roles");
  words_->setText(words);
}

void HeadsPanel::showChosenHead() {
  if (isFollowing_) return;
  const Selection& selection = workbench_.selection();
  const int row = model_->rowOf(selection.layer(), selection.kvHead());
  const QModelIndex wanted = sorted_->mapFromSource(model_->index(std::max(row, 0), 0));
  if (row < 0 || view_->currentIndex().row() == wanted.row()) return;
  isFollowing_ = true;
  view_->selectRow(wanted.row());
  isFollowing_ = false;
}

void HeadsPanel::chooseRow(const QModelIndex& current) {
  const QModelIndex source = sorted_->mapToSource(current);
  if (!source.isValid() || isFollowing_) return;
  const HeadSummary head = model_->table().heads[static_cast<std::size_t>(source.row())];
  // On the way from one head to the other the table stays as it is: several rows may be being selected.
  isFollowing_ = true;
  workbench_.selection().setLayer(head.layer);
  workbench_.selection().setKvHead(head.kv_head);
  isFollowing_ = false;
}

QString HeadsPanel::selectedText() const {
  QModelIndexList chosen = view_->selectionModel()->selectedRows();
  std::sort(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) { return a.row() < b.row(); });
  std::vector<std::size_t> rows;
  const auto add = [&](const QModelIndex& index) {
    rows.push_back(static_cast<std::size_t>(sorted_->mapToSource(index).row()));
  };
  for (const QModelIndex& index : chosen) add(index);
  for (int row = 0; chosen.isEmpty() && row < sorted_->rowCount(); ++row) add(sorted_->index(row, 0));
  return model_->textOf(rows);
}

void HeadsPanel::copy() const { QGuiApplication::clipboard()->setText(selectedText()); }

}  // namespace natscope::ui
