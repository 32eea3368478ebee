// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/figure_table_delegate.h"

#include <QPainter>
#include <algorithm>

#include "ui/models/figures/figure_table_model.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr int barHeight = 3;

QColor barColour(const QModelIndex& index) {
  const Theme theme = ThemeSwitch::instance().theme();
  const QByteArray key = index.data(FigureTableModel::keyRole).toByteArray();
  if (key == "global_share") return roleFill(Role::global, theme);
  if (key == "local_share") return roleFill(Role::local, theme);
  if (key == "sliding_share") return roleFill(Role::sliding, theme);
  return ThemeSwitch::instance().colours().accent;
}

}  // namespace

void FigureTableDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QStyledItemDelegate::paint(painter, option, index);
  const QVariant share = index.data(FigureTableModel::shareRole);
  if (!share.isValid()) return;
  const int full = option.rect.width() - 8;
  const int width = static_cast<int>(std::clamp(share.toDouble(), 0.0, 1.0) * full);
  const QRect bar(option.rect.left() + 4, option.rect.bottom() - barHeight, std::max(width, 1), barHeight);
  // On a chosen row the bar lies on its colour.
  const bool isChosen = (option.state & QStyle::State_Selected) != 0;
  painter->fillRect(bar, isChosen ? ThemeSwitch::instance().colours().onAccent : barColour(index));
}

void FigureTableDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
  QStyledItemDelegate::initStyleOption(option, index);
  // Nothing is gained by a frame round one cell of a chosen row.
  option->state &= ~QStyle::State_HasFocus;
}

}  // namespace natscope::ui
