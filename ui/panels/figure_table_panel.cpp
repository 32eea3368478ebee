// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/figure_table_panel.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QPainter>
#include <QShortcut>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/panels/parts/fitting_label.h"
#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"
#include "ui/views/figure_table_delegate.h"

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

FigureTablePanel::FigureTablePanel(SequenceModel& sequence, QSortFilterProxyModel* sorted, const QString& tip,
                                   QWidget* parent)
    : QWidget(parent),
      model_(new FigureTableModel(this)),
      sorted_(sorted),
      view_(new QTableView(this)),
      words_(new FittingLabel(this)),
      bar_(new QHBoxLayout) {
  drawAsPanel(*this);
  sorted_->setParent(this);
  sorted_->setSourceModel(model_);
  sorted_->setSortRole(FigureTableModel::valueRole);
  view_->setHorizontalHeader(new NumberHeader(view_));
  view_->setModel(sorted_);
  view_->setItemDelegate(new FigureTableDelegate(view_));
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
  // Who sorts wants the extreme, not the row that was in sight before: the chosen one is marked wherever it goes.
  connect(view_->horizontalHeader(), &QHeaderView::sortIndicatorChanged, view_, &QTableView::scrollToTop);
  view_->setToolTip(tip);
  view_->setContextMenuPolicy(Qt::CustomContextMenu);
  connect(view_, &QWidget::customContextMenuRequested, this, &FigureTablePanel::showMenu);

  words_->setObjectName(QStringLiteral("muted"));
  auto* const copyRows = new QToolButton(this);
  copyRows->setText(tr("copy"));
  drawWithFrame(*copyRows);
  copyRows->setToolTip(tr("Copy the selected rows, or all, as text with tabs (Ctrl+C)"));
  auto* const write = new QToolButton(this);
  write->setText(tr("export …"));
  drawWithFrame(*write);
  write->setToolTip(tr("Write the table to a file"));
  bar_->setContentsMargins(8, 4, 8, 2);
  bar_->setSpacing(6);  // a window's style has none between buttons
  bar_->addWidget(words_, 1);
  bar_->addWidget(copyRows);
  bar_->addWidget(write);
  auto* const layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addLayout(bar_);
  layout->addWidget(view_, 1);

  // Only here: a text that is selected elsewhere has its own Ctrl+C.
  auto* const keys = new QShortcut(QKeySequence::Copy, this);
  keys->setContext(Qt::WidgetWithChildrenShortcut);
  connect(keys, &QShortcut::activated, this, &FigureTablePanel::copy);
  connect(copyRows, &QToolButton::clicked, this, &FigureTablePanel::copy);
  connect(write, &QToolButton::clicked, this, &FigureTablePanel::exportWanted);
  connect(view_->selectionModel(), &QItemSelectionModel::selectionChanged, this, &FigureTablePanel::followSelection);
  connect(view_, &QTableView::clicked, this, &FigureTablePanel::chooseIndex);  // once more, where it was chosen before
  pause_.setSingleShot(true);
  pause_.setInterval(refreshPauseMs);
  connect(&pause_, &QTimer::timeout, this, [this] { refresh(); });
  connect(&sequence, &SequenceModel::extended, this, &FigureTablePanel::followSoon);
  connect(&sequence, &SequenceModel::restarted, this, &FigureTablePanel::followSoon);
  connect(&ThemeSwitch::instance(), &ThemeSwitch::changed, view_->viewport(), qOverload<>(&QWidget::update));
}

void FigureTablePanel::addField(QWidget* field) {
  constexpr int buttons = 2;
  bar_->insertWidget(bar_->count() - buttons, field);
  // Tab goes as one reads, though the buttons were made first.
  for (int i = 2; i < bar_->count(); ++i) setTabOrder(bar_->itemAt(i - 1)->widget(), bar_->itemAt(i)->widget());
}

void FigureTablePanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refresh();
}

void FigureTablePanel::followSoon() {
  // A table that nobody sees is filled when it is shown.
  if (isVisible() && !pause_.isActive()) pause_.start();
}

QString FigureTablePanel::words() const { return words_->text(); }

void FigureTablePanel::say(const QString& words) { words_->say({words}); }

void FigureTablePanel::setCurrent(int row) {
  const QModelIndex wanted = sorted_->mapFromSource(model_->index(row, 0));
  if (view_->currentIndex().row() == wanted.row()) return;
  isChosenElsewhere_ = true;
  if (wanted.isValid())
    view_->selectRow(wanted.row());
  else
    view_->setCurrentIndex({});
  isChosenElsewhere_ = false;
}

/// A table that gets the focus has a current row, which nobody chose: it is not selected.
void FigureTablePanel::followSelection() {
  const QModelIndex current = view_->currentIndex();
  if (current.row() != chosen_.row() && view_->selectionModel()->isSelected(current)) chooseIndex(current);
}

void FigureTablePanel::chooseIndex(const QModelIndex& current) {
  chosen_ = current;
  const QModelIndex source = sorted_->mapToSource(current);
  if (source.isValid() && !isChosenElsewhere_) choose(static_cast<std::size_t>(source.row()));
}

QString FigureTablePanel::selectedText() const {
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

void FigureTablePanel::fillMenu(QMenu& menu) {
  menu.addAction(tr("Copy rows"), this, &FigureTablePanel::copy)->setShortcut(QKeySequence::Copy);
  menu.addAction(tr("Export …"), this, &FigureTablePanel::exportWanted);
  menu.addSeparator();
  const QHeaderView& header = *view_->horizontalHeader();
  for (int column = 0; column < model_->columnCount(); ++column) {
    const bool isSorted = header.sortIndicatorSection() == column;
    // As a click on its header: another column begins with its least, the same one turns round.
    const Qt::SortOrder next =
        isSorted && header.sortIndicatorOrder() == Qt::AscendingOrder ? Qt::DescendingOrder : Qt::AscendingOrder;
    const QString name = model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    menu.addAction(isSorted ? tr("Sort by %1, the other way round").arg(name) : tr("Sort by %1").arg(name), this,
                   [this, column, next] { view_->sortByColumn(column, next); });
  }
}

void FigureTablePanel::showMenu(QPoint at) {
  auto* const menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  fillMenu(*menu);
  menu->popup(view_->viewport()->mapToGlobal(at));
}

void FigureTablePanel::copy() const { QGuiApplication::clipboard()->setText(selectedText()); }

}  // namespace natscope::ui
