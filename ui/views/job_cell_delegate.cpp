// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/job_cell_delegate.h"

#include <QPainter>

#include "ui/models/jobs/job_list_model.h"
#include "ui/theme/theme.h"

namespace natscope::ui {
namespace {

constexpr float toDoOpacity = 0.3F;

QColor stateColour(int state) {
  const bool isDark = ThemeSwitch::instance().theme() == Theme::dark;
  const QColor bad = problemInk(ThemeSwitch::instance().theme());
  if (state < 0) return bad;
  switch (static_cast<jobs::JobState>(state)) {
    case jobs::JobState::starting:
    case jobs::JobState::running:
      return isDark ? QColor(0x56, 0xb4, 0xe9) : QColor(0x00, 0x72, 0xb2);
    case jobs::JobState::finished:
      return isDark ? QColor(0x2c, 0xc5, 0x98) : QColor(0x00, 0x7a, 0x59);
    case jobs::JobState::failed:
    case jobs::JobState::killed:
      return bad;
    default:
      return ThemeSwitch::instance().colours().muted;
  }
}

}  // namespace

void JobCellDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
  QStyledItemDelegate::initStyleOption(option, index);
  if (index.column() == JobListModel::stateColumn && !(option->state & QStyle::State_Selected)) {
    option->palette.setColor(QPalette::Text, stateColour(index.data(JobListModel::stateRole).toInt()));
  }
  // Nothing is gained by a frame round one cell of a chosen row.
  option->state &= ~QStyle::State_HasFocus;
}

void JobCellDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  QStyledItemDelegate::paint(painter, option, index);
  if (index.column() != JobListModel::stepColumn) return;
  const QVariant progress = index.data(JobListModel::progressRole);
  if (!progress.isValid()) return;
  QRectF bar = QRectF(option.rect).adjusted(4, 0, -4, -2);
  bar.setTop(bar.bottom() - 3);
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  painter->setPen(Qt::NoPen);
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const bool isSelected = (option.state & QStyle::State_Selected) != 0;
  // On the colour of a chosen row a border's grey is as light as what is done.
  QColor toDo = isSelected ? theme.onAccent : theme.border;
  if (isSelected) toDo.setAlphaF(toDoOpacity);
  painter->setBrush(toDo);
  painter->drawRoundedRect(bar, 1.5, 1.5);
  bar.setWidth(bar.width() * progress.toDouble());
  painter->setBrush(isSelected ? theme.onAccent : stateColour(index.data(JobListModel::stateRole).toInt()));
  painter->drawRoundedRect(bar, 1.5, 1.5);
  painter->restore();
}

}  // namespace natscope::ui
