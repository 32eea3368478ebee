// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/range_field.h"

#include <QCompleter>
#include <QSignalBlocker>

namespace natscope::ui {

RangeField::RangeField(QWidget* parent) : QComboBox(parent) {
  setObjectName(QStringLiteral("range"));
  setEditable(true);
  setInsertPolicy(QComboBox::NoInsert);
  completer()->setCompletionMode(QCompleter::PopupCompletion);
  addItem(tr("automatic"));
  setToolTip(
      tr("Where the colours begin and end, as LO:HI: figures with the same range compare.\n"
         "Automatic: from what is exported. The window's colours are of the whole map, of a long text counted in "
         "cells of several weights."));
}

void RangeField::setOnScreen(const std::optional<FixedRange>& range) {
  // Weights have seven digits, not the seventeen of a double.
  const auto number = [](double value) { return QString::number(value, 'g', 7); };
  const QString words = range ? tr("%1:%2 as on screen").arg(number(range->low), number(range->high)) : QString();
  if (itemText(1) == words) return;
  const QSignalBlocker quiet(this);
  const QString before = currentText();
  const bool isGone = count() > 1 && before == itemText(1);
  if (count() > 1) removeItem(1);
  if (range) addItem(words);
  setCurrentText(isGone ? itemText(0) : before);
}

Expected<std::optional<FixedRange>> RangeField::range(ScaleKind kind) const {
  const QString typed = currentText().trimmed();
  if (typed.isEmpty() || typed == itemText(0)) return std::optional<FixedRange>();
  NATSCOPE_TRY(const FixedRange fixed, parse_fixed_range(typed.section(u' ', 0, 0).toStdString(), kind));
  return std::optional(fixed);
}

}  // namespace natscope::ui
