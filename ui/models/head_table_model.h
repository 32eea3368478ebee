// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/export/head_table.h"

namespace natscope::ui {

/// The table of heads (core/export/head_table.h) as Qt shows it: a row a (layer, KV head), layer by layer.
class HeadTableModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  /// The number behind a cell, for sorting; invalid where there is none.
  static constexpr int numberRole = Qt::UserRole;
  /// 0 … 1 of a cell that holds a share; invalid elsewhere.
  static constexpr int shareRole = Qt::UserRole + 1;

  using QAbstractTableModel::QAbstractTableModel;

  /// Rows stay where they are while the model's shape does; only cells change then.
  void setTable(HeadTable table);
  [[nodiscard]] const HeadTable& table() const { return table_; }
  [[nodiscard]] int rowOf(LayerId layer, KvHeadId kvHead) const;  ///< -1: none
  /// Rows as text for the clipboard: a header, then a line a row in the order given, fields between tabs.
  [[nodiscard]] QString textOf(const std::vector<std::size_t>& rows) const;

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  HeadTable table_;
};

}  // namespace natscope::ui
