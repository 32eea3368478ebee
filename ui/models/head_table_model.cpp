// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/head_table_model.h"

namespace natscope::ui {
namespace {

const HeadColumn& columnAt(int section) { return shown_head_columns()[static_cast<std::size_t>(section)]; }

QString cellText(const HeadSummary& head, const HeadColumn& column, double value) {
  switch (column.unit) {
    case HeadUnit::number:
      return QString::number(static_cast<qint64>(value));
    case HeadUnit::share:
      return QString::number(100 * value, 'f', 1) + QStringLiteral(" %");
    case HeadUnit::tokens:
      break;
  }
  // Locals that no Global has ended yet will live longer than they have: a lower bound, and said so.
  const QString tokens = QString::number(value, 'f', 1);
  return head.locals_held > 0 ? QStringLiteral("≥ ") + tokens : tokens;
}

}  // namespace

void HeadTableModel::setTable(HeadTable table) {
  const bool hasSameRows = table.heads.size() == table_.heads.size() &&
                           (table.heads.empty() || table.heads.back().layer == table_.heads.back().layer);
  if (!hasSameRows) beginResetModel();
  table_ = std::move(table);
  if (!hasSameRows) {
    endResetModel();
  } else if (!table_.heads.empty()) {
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
  }
}

int HeadTableModel::rowOf(LayerId layer, KvHeadId kvHead) const {
  for (std::size_t row = 0; row < table_.heads.size(); ++row) {
    if (table_.heads[row].layer == layer && table_.heads[row].kv_head == kvHead) return static_cast<int>(row);
  }
  return -1;
}

QString HeadTableModel::textOf(const std::vector<std::size_t>& rows) const {
  return QString::fromStdString(head_table_text(table_, rows, '\t'));
}

int HeadTableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(table_.heads.size());
}

int HeadTableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(shown_head_columns().size());
}

QVariant HeadTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount() || index.column() >= columnCount()) return {};
  if (role == Qt::TextAlignmentRole) return QVariant(Qt::AlignRight | Qt::AlignVCenter);
  const HeadColumn& column = columnAt(index.column());
  const HeadSummary& head = table_.heads[static_cast<std::size_t>(index.row())];
  const auto value = head_value(table_, head, column);
  switch (role) {
    case Qt::DisplayRole:
      return value ? cellText(head, column, *value) : QStringLiteral("–");
    case numberRole:
      return value ? QVariant(*value) : QVariant();
    case shareRole:
      return value && column.unit == HeadUnit::share ? QVariant(*value) : QVariant();
    default:
      return {};
  }
}

QVariant HeadTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
  if (role == Qt::DisplayRole) return tr(columnAt(section).title);
  if (role == Qt::TextAlignmentRole) return QVariant(Qt::AlignRight | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole) return tr(columnAt(section).help);
  return {};
}

}  // namespace natscope::ui
