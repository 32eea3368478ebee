// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/figures/figure_table_model.h"

#include <algorithm>
#include <utility>

#include "ui/figure/token_label.h"
#include "ui/models/grouped_number.h"

namespace natscope::ui {
namespace {

constexpr int widestText = 24;

QString numberText(TableUnit unit, double value) {
  switch (unit) {
    case TableUnit::number:
      return groupedNumber(static_cast<std::int64_t>(value));
    case TableUnit::share:
      return percentText(value);
    case TableUnit::tokens:
      return QString::number(value, 'f', 1);
    case TableUnit::nats:
      return QString::number(value, 'f', 2);
    case TableUnit::perplexity:
      return perplexityText(value);
    case TableUnit::ratio:
      return QString::number(value, 'f', 3);
    case TableUnit::text:
    case TableUnit::name:
      break;
  }
  return {};
}

bool isWritten(TableUnit unit) { return unit == TableUnit::text || unit == TableUnit::name; }

QString cellText(TableUnit unit, const TableCell& cell) {
  if (const std::string* text = cell.text()) {
    const QString all = QString::fromStdString(*text);
    return unit == TableUnit::name ? all : tokenLabel(all, widestText);
  }
  const double* const number = cell.number();
  if (number == nullptr) return QStringLiteral("–");
  // What is still held will live longer than it has: a lower bound, and said so.
  return (cell.is_lower_bound ? QStringLiteral("≥ ") : QString()) + numberText(unit, *number);
}

QVariant cellValue(const TableCell& cell) {
  if (const double* number = cell.number()) return *number;
  if (const std::string* text = cell.text()) return QString::fromStdString(*text);
  return {};
}

}  // namespace

bool FigureTableModel::goesOn(const FigureTable& table) const {
  if (table.columns.data() != table_.columns.data() || table.rows() < table_.rows()) return false;
  for (std::size_t row = 0; row < table_.rows(); ++row) {
    for (std::size_t column = 0; column < table_.key_columns; ++column) {
      if (!(table.at(row, column) == table_.at(row, column))) return false;
    }
  }
  return true;
}

void FigureTableModel::setTable(FigureTable table) {
  if (!goesOn(table)) {
    beginResetModel();
    table_ = std::move(table);
    shown_.clear();
    for (std::size_t column = 0; column < table_.columns.size(); ++column) {
      if (table_.columns[column].is_shown) shown_.push_back(column);
    }
    endResetModel();
    return;
  }
  const int before = rowCount();
  const int now = static_cast<int>(table.rows());
  if (now > before) beginInsertRows({}, before, now - 1);
  table_ = std::move(table);
  if (now > before) endInsertRows();
  if (before > 0) Q_EMIT dataChanged(index(0, 0), index(before - 1, columnCount() - 1));
}

const char* FigureTableModel::columnKey(int section) const {
  return table_.columns[shown_[static_cast<std::size_t>(section)]].key;
}

QString FigureTableModel::textOf(const std::vector<std::size_t>& rows) const {
  return QString::fromStdString(table_text(table_, rows, '\t'));
}

int FigureTableModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(table_.rows());
}

int FigureTableModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(shown_.size());
}

QVariant FigureTableModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount() || index.column() >= columnCount()) return {};
  const std::size_t at = shown_[static_cast<std::size_t>(index.column())];
  const TableColumn& column = table_.columns[at];
  const TableCell& cell = table_.at(static_cast<std::size_t>(index.row()), at);
  switch (role) {
    case Qt::DisplayRole:
      // What names a row, a token's id say, counts nothing.
      if (at < table_.key_columns && column.unit == TableUnit::number && cell.number() != nullptr)
        return QString::number(static_cast<qint64>(*cell.number()));
      return cellText(column.unit, cell);
    case Qt::TextAlignmentRole:
      return headerData(index.column(), Qt::Horizontal, role);
    case valueRole:
      return cellValue(cell);
    case shareRole:
      return column.unit == TableUnit::share ? cellValue(cell) : QVariant();
    case keyRole:
      return QByteArray(column.key);
    default:
      return {};
  }
}

QVariant FigureTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
  const TableColumn& column = table_.columns[shown_[static_cast<std::size_t>(section)]];
  if (role == Qt::DisplayRole) return tr(column.title);
  if (role == Qt::TextAlignmentRole)
    return QVariant((isWritten(column.unit) ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole) return tr(column.help);
  return {};
}

}  // namespace natscope::ui
