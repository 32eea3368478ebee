// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/style_sheet.h"

#include <QToolButton>

namespace natscope::ui {

void drawAsPanel(QWidget& widget) {
  widget.setObjectName(QStringLiteral("panel"));
  widget.setAttribute(Qt::WA_StyledBackground);  // else a class of our own would have no ground
}

void drawWithFrame(QToolButton& button) { button.setObjectName(QStringLiteral("framed")); }

QString styleSheet(const ThemeColours& colours) {
  QString sheet = QStringLiteral(R"(
    QMainWindow { background: @window; }
    QMainWindow::separator { background: @window; width: 5px; height: 5px; }
    QMainWindow::separator:hover { background: @accent; }
    QDockWidget { color: @muted; font-weight: 600; titlebar-close-icon: none;
      titlebar-normal-icon: url(:/icons/float.svg); }
    QDockWidget::title { background: @window; padding: 5px 6px; text-align: left; }
    QToolBar { background: @window; border: none; spacing: 4px; padding: 4px 6px; }
    QToolBar::separator { background: @border; width: 1px; margin: 5px 4px; }
    QToolButton { color: @text; border: 1px solid transparent; border-radius: 5px; padding: 4px 9px; }
    QToolButton:hover { background: @raised; border-color: @border; }
    QToolButton:pressed, QToolButton:checked { background: @raised; border-color: @accent; }
    QToolButton:focus { border-color: @accent; }
    QToolButton:disabled { color: @muted; }
    QToolButton#primary { background: @accent; color: @onAccent; font-weight: 600; }
    QToolButton#primary:focus { border-color: @text; }
    QToolButton#primary:disabled { background: @raised; color: @muted; }
    QToolButton#framed { border-color: @border; padding: 2px 8px; }
    QToolButton#wholeMap { border-color: @border; padding: 2px 4px; }
    QToolButton#framed:hover, QToolButton#wholeMap:hover { border-color: @muted; }
    QToolButton#framed:pressed, QToolButton#framed:checked, QToolButton#framed:focus, QToolButton#wholeMap:pressed,
    QToolButton#wholeMap:focus { border-color: @accent; }
    QToolButton::menu-indicator { image: none; }
    QFileDialog QToolButton { padding: 3px; }
    QMenuBar { background: @window; color: @text; }
    QMenuBar::item { padding: 4px 9px; background: transparent; }
    QMenuBar::item:selected { background: @raised; }
    QMenu { background: @panel; color: @text; border: 1px solid @border; padding: 4px; }
    QMenu::item { padding: 5px 26px 5px 22px; border-radius: 3px; }
    QMenu::item:selected { background: @accent; color: @onAccent; }
    QMenu::item:disabled { color: @muted; }
    QMenu::separator { height: 1px; background: @border; margin: 4px 8px; }
    QFrame#panel, QWidget#panel { background: @panel; }
    QPlainTextEdit, QLineEdit {
      background: @raised; color: @text; border: 1px solid @border; border-radius: 4px; padding: 3px 5px;
      selection-background-color: @accent; selection-color: @onAccent; }
    QPlainTextEdit:focus, QLineEdit:focus { border-color: @accent; }
    QCheckBox, QLabel { color: @text; }
    QCheckBox:disabled, QLabel:disabled { color: @muted; }
    QLabel#muted { color: @muted; }
    QLabel#figure { color: @text; font-weight: 600; }
    QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }
    QPushButton { background: @raised; color: @text; border: 1px solid @border; border-radius: 4px; padding: 5px 12px; }
    QPushButton:hover, QPushButton:focus { border-color: @accent; }
    QPushButton:default { background: @accent; color: @onAccent; border-color: @accent; }
    QPushButton:default:focus { border-color: @text; }
    QPushButton:disabled { color: @muted; }
    QPushButton:default:disabled { background: @raised; color: @muted; border-color: @border; }
    QCheckBox::indicator { width: 13px; height: 13px; border: 1px solid @muted; border-radius: 3px; background: @raised; }
    QCheckBox:focus { color: @accent; }
    QCheckBox::indicator:hover { border-color: @accent; }
    QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(:/icons/check.svg); }
    QCheckBox::indicator:disabled { border-color: @border; }
    QCheckBox::indicator:checked:disabled { background: @muted; border-color: @muted; }
    QTabWidget::pane { border: none; }
    QTabBar { qproperty-drawBase: 0; }
    QTabBar::tab { background: @window; color: @muted; padding: 5px 12px; border: none; }
    QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
    QTabBar::tab:selected:focus { color: @accent; background: @raised; }
    QScrollBar:vertical { background: transparent; width: 11px; margin: 0; }
    QScrollBar:horizontal { background: transparent; height: 11px; margin: 0; }
    QScrollBar::handle { background: @border; border-radius: 4px; margin: 2px; min-height: 24px; min-width: 24px; }
    QScrollBar::handle:hover { background: @muted; }
    QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
    QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
    QToolTip { background: @raised; color: @text; border: 1px solid @border; padding: 4px; }
    QWidget#errorBar { background: @warning; border-bottom: 1px solid @border; }
    QWidget#errorBar QLabel { color: @onWarning; }
    QWidget#recordingBar { background: @raised; border-left: 4px solid @accent; border-bottom: 1px solid @border; }
    QWidget#errorBar QToolButton { color: @onWarning; }
    QTableView, QTableWidget { background: @panel; color: @text; border: none; gridline-color: @border; }
    QTableView::item:selected { background: @accent; color: @onAccent; }
    QTableView::indicator { width: 12px; height: 12px; border: 1px solid @muted; border-radius: 3px; background: @raised; }
    QTableView::indicator:checked { background: @accent; border-color: @onAccent; image: url(:/icons/check.svg); }
    QSplitter::handle { background: @window; }
    QHeaderView::section { background: @window; color: @muted; border: none; padding: 4px; }
  )");
  const std::initializer_list<std::pair<QString, QColor>> names = {
      {QStringLiteral("@onAccent"), colours.onAccent}, {QStringLiteral("@onWarning"), colours.onWarning},
      {QStringLiteral("@window"), colours.window},     {QStringLiteral("@panel"), colours.panel},
      {QStringLiteral("@raised"), colours.raised},     {QStringLiteral("@border"), colours.border},
      {QStringLiteral("@text"), colours.text},         {QStringLiteral("@muted"), colours.muted},
      {QStringLiteral("@accent"), colours.accent},     {QStringLiteral("@warning"), colours.warning},
  };
  for (const auto& [name, colour] : names) sheet.replace(name, colour.name());
  return sheet;
}

}  // namespace natscope::ui
