// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/keys_sheet.h"

#include <QAction>
#include <QGridLayout>
#include <QLabel>

namespace natscope::ui {
namespace {

constexpr int rowsPerColumn = 19;

}  // namespace

KeysSheet::KeysSheet(const QList<QAction*>& actions, QWidget* parent) : QDialog(parent) {
  setWindowTitle(tr("Keys"));
  setAttribute(Qt::WA_DeleteOnClose);
  auto* const grid = new QGridLayout(this);
  grid->setHorizontalSpacing(18);
  int row = 0;
  const auto add = [&](const QString& keys, const QString& what) {
    auto* const name = new QLabel(keys, this);
    name->setObjectName(QStringLiteral("figure"));
    const int column = row / rowsPerColumn * 2;
    grid->addWidget(name, row % rowsPerColumn, column);
    grid->addWidget(new QLabel(what, this), row % rowsPerColumn, column + 1);
    ++row;
  };
  for (const QAction* const action : actions) {
    if (action->shortcut().isEmpty()) continue;
    add(action->shortcut().toString(QKeySequence::NativeText),
        action->text().remove(u'&').remove(QStringLiteral(" …")));
  }
  add(tr("Wheel"), tr("Zoom at the cursor"));
  add(tr("Drag"), tr("Pan"));
  add(tr("Double click, 0"), tr("Whole map"));
  add(tr("+ − and arrows"), tr("Zoom and pan the attention map"));
  add(tr("Arrows"), tr("In the text and the role map: pin the token, line or head beside"));
  add(tr("Arrows, + −"), tr("In the maps of all heads: the head beside, larger and smaller maps"));
  add(tr("Menu key"), tr("In the role map: set the role of the pinned token"));
  add(tr("Ctrl+C"), tr("Copy rows of the table of heads, as text with tabs"));
  add(tr("Hover"), tr("Preview a token or a cell everywhere"));
  add(tr("Click"), tr("Pin it; Shift-click adds another"));
}

}  // namespace natscope::ui
