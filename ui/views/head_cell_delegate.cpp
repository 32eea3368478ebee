// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/head_cell_delegate.h"

#include <QPainter>
#include <algorithm>
#include <cstring>

#include "ui/models/head_table_model.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int barHeight = 3;

QColor barColour(const QModelIndex& index) {
  const Theme theme = ThemeSwitch::instance().theme();
  const char* const key = head_columns()[static_cast<std::size_t>(index.column())].key;
  if (std::strcmp(key, "global_share") == 0) return roleFill(Role::global, theme);
  if (std::strcmp(key, "local_share") == 0) return roleFill(Role::local, theme);
  if (std::strcmp(key, "sliding_share") == 0) return roleFill(Role::sliding, theme);
  return ThemeSwitch::instance().colours().accent;
}

}  // namespace

void HeadCellDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QStyledItemDelegate::paint(painter, option, index);
  const QVariant share = index.data(HeadTableModel::shareRole);
  if (!share.isValid()) return;
  const int full = option.rect.width() - 8;
  const int width = static_cast<int>(std::clamp(share.toDouble(), 0.0, 1.0) * full);
  const QRect bar(option.rect.left() + 4, option.rect.bottom() - barHeight, std::max(width, 1), barHeight);
  painter->fillRect(bar, barColour(index));
}

void HeadCellDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
  QStyledItemDelegate::initStyleOption(option, index);
  // Nothing is gained by a frame round one cell of a chosen row.
  option->state &= ~QStyle::State_HasFocus;
}

}  // namespace natscope::ui
