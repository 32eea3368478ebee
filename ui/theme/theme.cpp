// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/theme/theme.h"

#include <QApplication>
#include <QPalette>
#include <QStyleFactory>

#include "ui/theme/style_sheet.h"

namespace natscope::ui {
namespace {

const ThemeColours light{
    .window = QColor(0xee, 0xf0, 0xf3),
    .panel = QColor(0xff, 0xff, 0xff),
    .raised = QColor(0xf6, 0xf7, 0xf9),
    .border = QColor(0xd3, 0xd8, 0xde),
    .text = QColor(0x1c, 0x20, 0x26),
    .muted = QColor(0x60, 0x69, 0x75),
    .accent = QColor(0x00, 0x5f, 0x9e),
    .onAccent = QColor(0xff, 0xff, 0xff),
    .warning = QColor(0xff, 0xf3, 0xd6),
    .onWarning = QColor(0x4d, 0x38, 0x00),
    .crosshair = QColor(0xd0, 0x10, 0x60),
};

const ThemeColours dark{
    .window = QColor(0x13, 0x16, 0x1a),
    .panel = QColor(0x1b, 0x1f, 0x25),
    .raised = QColor(0x27, 0x2c, 0x34),
    .border = QColor(0x36, 0x3d, 0x47),
    .text = QColor(0xe6, 0xe9, 0xed),
    .muted = QColor(0x98, 0xa2, 0xae),
    .accent = QColor(0x5a, 0xb4, 0xf0),
    .onAccent = QColor(0x0b, 0x14, 0x1c),
    .warning = QColor(0x3a, 0x30, 0x16),
    .onWarning = QColor(0xff, 0xe1, 0x9c),
    .crosshair = QColor(0xff, 0x7a, 0xb8),
};

QColor mixed(const QColor& colour, const QColor& with, double share) {
  const auto part = [share](int a, int b) { return static_cast<int>(b + share * (a - b)); };
  return QColor(part(colour.red(), with.red()), part(colour.green(), with.green()), part(colour.blue(), with.blue()));
}

QPalette paletteOf(const ThemeColours& c) {
  QPalette palette;
  palette.setColor(QPalette::Window, c.window);
  palette.setColor(QPalette::WindowText, c.text);
  palette.setColor(QPalette::Base, c.panel);
  palette.setColor(QPalette::AlternateBase, c.raised);
  palette.setColor(QPalette::Text, c.text);
  palette.setColor(QPalette::PlaceholderText, c.muted);
  palette.setColor(QPalette::Button, c.raised);
  palette.setColor(QPalette::ButtonText, c.text);
  palette.setColor(QPalette::ToolTipBase, c.raised);
  palette.setColor(QPalette::ToolTipText, c.text);
  palette.setColor(QPalette::Highlight, c.accent);
  palette.setColor(QPalette::HighlightedText, c.onAccent);
  palette.setColor(QPalette::Link, c.accent);
  palette.setColor(QPalette::Mid, c.border);
  // Else edges that the style draws itself are white on dark.
  palette.setColor(QPalette::Light, c.raised);
  palette.setColor(QPalette::Disabled, QPalette::WindowText, mixed(c.muted, c.window, 0.6));
  palette.setColor(QPalette::Disabled, QPalette::Text, mixed(c.muted, c.window, 0.6));
  palette.setColor(QPalette::Disabled, QPalette::ButtonText, mixed(c.muted, c.window, 0.6));
  return palette;
}

}  // namespace

const ThemeColours& colours(Theme theme) { return theme == Theme::dark ? dark : light; }

QColor roleFill(Role role, Theme theme, bool faded) {
  const QColor full = toQColor(role_colour(role, theme));
  return faded ? mixed(full, colours(theme).panel, faded_share(theme)) : full;
}

QColor roleInk(Role role, Theme theme) {
  const QColor full = toQColor(role_colour(role, theme));
  return theme == Theme::dark ? full.lighter(115) : full.darker(125);
}

QColor inkOn(const QColor& ground) {
  const auto part = [](int value) { return static_cast<std::uint8_t>(value); };
  return toQColor(ink_on({part(ground.red()), part(ground.green()), part(ground.blue())}));
}

QColor problemInk(Theme theme) { return theme == Theme::dark ? QColor(0xff, 0x8a, 0x4a) : QColor(0xb8, 0x4a, 0x00); }

ThemeSwitch& ThemeSwitch::instance() {
  static ThemeSwitch only;
  return only;
}

void ThemeSwitch::apply(QApplication& application, Theme theme) {
  theme_ = theme;
  application.setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
  application.setPalette(paletteOf(colours()));
  application.setStyleSheet(styleSheet(colours()));
  Q_EMIT changed();
}

}  // namespace natscope::ui
