// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/parts/keys_sheet.h"

#include <QAction>
#include <QGridLayout>
#include <QLabel>
#include <QScreen>
#include <QVBoxLayout>
#include <memory>
#include <utility>

#include "ui/panels/parts/scrolled_area.h"

namespace natscope::ui {
namespace {

constexpr int mostColumns = 3;
constexpr int leastHeight = 120;
/// Of the screen's width, for the frame of the sheet and its scroll bar.
constexpr int screenMargin = 64;

/// Keys and what they do.
using Rows = QList<std::pair<QString, QString>>;

std::unique_ptr<QWidget> columnsOf(const Rows& rows, int columns) {
  auto sheet = std::make_unique<QWidget>();
  auto* const grid = new QGridLayout(sheet.get());
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(18);
  const int perColumn = (static_cast<int>(rows.size()) + columns - 1) / columns;
  for (int i = 0; i < rows.size(); ++i) {
    auto* const keys = new QLabel(rows[i].first, sheet.get());
    keys->setObjectName(QStringLiteral("figure"));
    grid->addWidget(keys, i % perColumn, i / perColumn * 2);
    grid->addWidget(new QLabel(rows[i].second, sheet.get()), i % perColumn, i / perColumn * 2 + 1);
  }
  return sheet;
}

}  // namespace

KeysSheet::KeysSheet(const QList<QAction*>& actions, QWidget* parent) : QDialog(parent) {
  setWindowTitle(tr("Keys"));
  setAttribute(Qt::WA_DeleteOnClose);
  Rows rows;
  for (const QAction* const action : actions) {
    if (action->shortcut().isEmpty()) continue;
    rows.append({action->shortcut().toString(QKeySequence::NativeText),
                 action->text().remove(u'&').remove(QStringLiteral(" …"))});
  }
  rows.append({tr("Wheel"), tr("Zoom at the cursor")});
  rows.append({tr("Drag"), tr("Pan")});
  rows.append({tr("Double click, 0"), tr("Whole map")});
  rows.append({tr("+ − and arrows"), tr("Zoom and pan the attention map")});
  rows.append({tr("Arrows"), tr("In the text and the role map: pin the token, line or head beside")});
  rows.append({tr("Arrows, + −"), tr("In the maps of all heads: the head beside, larger and smaller maps")});
  rows.append({tr("Shift+arrows"), tr("In the attention map: move the pinned cell, or pin the middle")});
  rows.append({tr("Shift+arrows"), tr("In the text: add the token or line beside to what is pinned")});
  rows.append({tr("Menu key"), tr("In the role map: set the role of the pinned token")});
  rows.append({tr("Menu key"), tr("In a table of figures: sort it, copy rows, export it")});
  rows.append({tr("Ctrl+C"), tr("Copy rows of a table of figures, as text with tabs")});
  rows.append({tr("Hover"), tr("Preview a token or a cell everywhere")});
  rows.append({tr("Click"), tr("Pin it; Shift-click adds another")});

  int columns = mostColumns;
  std::unique_ptr<QWidget> sheet = columnsOf(rows, columns);
  while (columns > 1 && sheet->sizeHint().width() > screen()->availableSize().width() - screenMargin)
    sheet = columnsOf(rows, --columns);
  auto* const area = new ScrolledArea(sheet.release(), leastHeight, this);
  area->setFocusPolicy(Qt::StrongFocus);  // arrow keys scroll it: it has no fields
  auto* const layout = new QVBoxLayout(this);
  layout->addWidget(area);
  fitToScreen(*this);
}

}  // namespace natscope::ui
