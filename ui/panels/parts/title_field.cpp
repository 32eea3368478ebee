// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/title_field.h"

#include <QCompleter>

namespace natscope::ui {

TitleField::TitleField(QWidget* parent) : QComboBox(parent) {
  setObjectName(QStringLiteral("title"));
  setEditable(true);
  setInsertPolicy(QComboBox::NoInsert);
  completer()->setCompletionMode(QCompleter::PopupCompletion);
  addItems({tr("what is shown"), tr("none")});
  setToolTip(
      tr("One's own can be typed. What was set by hand then stands in the legend, so that every reader sees it."));
}

std::optional<QString> TitleField::title() const {
  const QString typed = currentText().simplified();
  if (typed.isEmpty() || typed == itemText(0)) return std::nullopt;
  return typed == itemText(1) ? QString() : typed;
}

}  // namespace natscope::ui
