// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPersistentModelIndex>
#include <QTimer>
#include <QWidget>

#include "ui/models/figures/figure_table_model.h"
#include "ui/models/sequence_model.h"

class QHBoxLayout;
class QMenu;
class QSortFilterProxyModel;
class QTableView;

namespace natscope::ui {

class FittingLabel;

/// A table of figures of the sequence, sortable, under a line that says what it is of. Ctrl+C copies the selected rows
/// (all, where none is selected) as text with tabs and a header, in the order on screen. While text is generated the
/// table follows at a pace that can be read; one that nobody sees costs nothing.
class FigureTablePanel : public QWidget {
  Q_OBJECT

 public:
  [[nodiscard]] QTableView& table() { return *view_; }
  [[nodiscard]] const FigureTableModel& model() const { return *model_; }
  /// What stands above the table.
  [[nodiscard]] QString words() const;
  /// What Ctrl+C copies.
  [[nodiscard]] QString selectedText() const;
  void copy() const;
  /// What a right click or the Menu key offers: to copy, and a way to sort for each column.
  void fillMenu(QMenu& menu);

  [[nodiscard]] QSize sizeHint() const override { return {640, 180}; }

 Q_SIGNALS:
  void exportWanted();

 protected:
  /// `sorted` stands between table and view and becomes the panel's.
  FigureTablePanel(SequenceModel& sequence, QSortFilterProxyModel* sorted, const QString& tip, QWidget* parent);

  /// Brings the table up to date.
  virtual void refresh() = 0;
  /// A person made this row of the table the current one.
  virtual void choose(std::size_t row) = 0;

  void showEvent(QShowEvent* event) override;
  /// refresh(), where the panel is seen, after a pause.
  void followSoon();

  void setTable(FigureTable table) { model_->setTable(std::move(table)); }
  void say(const QString& words);
  /// Puts a field between what say() says and the buttons, behind those that were put there before.
  void addField(QWidget* field);
  [[nodiscard]] QSortFilterProxyModel& sorted() { return *sorted_; }
  /// Makes a row of the table the current one without choose(); one that does not exist or is filtered out: no row.
  void setCurrent(int row);

 private:
  void followSelection();
  void showMenu(QPoint at);
  void chooseIndex(const QModelIndex& current);

  FigureTableModel* model_;
  QSortFilterProxyModel* sorted_;
  QTableView* view_;
  FittingLabel* words_;
  QHBoxLayout* bar_;
  QTimer pause_;
  QPersistentModelIndex chosen_;
  bool isChosenElsewhere_ = false;
};

}  // namespace natscope::ui
