// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/export/figure_table.h"

namespace natscope::ui {

/// A table of figures (core/export/figure_table.h) as Qt shows it: the columns for the screen.
class FigureTableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  /// What is behind a cell, for sorting: its number or text; invalid where there is nothing.
  static constexpr int valueRole = Qt::UserRole;
  /// 0 … 1 of a cell that holds a share; invalid elsewhere.
  static constexpr int shareRole = Qt::UserRole + 1;
  /// The key of a cell's column, as a QByteArray.
  static constexpr int keyRole = Qt::UserRole + 2;

  using QAbstractTableModel::QAbstractTableModel;

  /// Where the new table begins with the rows of the present one, told by their key columns, rows stay where they are:
  /// cells change, and rows come at the end.
  void setTable(FigureTable table);
  [[nodiscard]] const char* columnKey(int section) const;  ///< of a column on screen
  [[nodiscard]] const FigureTable& table() const { return table_; }
  /// Rows as text for the clipboard: a header, then a line a row in the order given, fields between tabs.
  [[nodiscard]] QString textOf(const std::vector<std::size_t>& rows) const;

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  [[nodiscard]] bool goesOn(const FigureTable& table) const;

  FigureTable table_;
  std::vector<std::size_t> shown_;  // the table's columns on screen
};

}  // namespace natscope::ui
