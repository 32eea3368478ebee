// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QObject>

#include "core/export/colour_map.h"

class QApplication;

namespace natscope::ui {

/// The window's colours of one theme. Data has its own (core/export/colour_map.h).
struct ThemeColours {
  QColor window;  ///< behind everything
  QColor panel;   ///< behind views
  QColor raised;  ///< fields, buttons
  QColor border;
  QColor text;
  QColor muted;   ///< labels, ticks
  QColor accent;  ///< selection, focus, what can be pressed
  QColor onAccent;
  QColor warning;  ///< the error bar
  QColor onWarning;
  QColor crosshair;  ///< over data
};

[[nodiscard]] const ThemeColours& colours(Theme theme);

/// A role's colour as text or line on a panel, dark enough to read in the light theme.
[[nodiscard]] QColor roleInk(Role role, Theme theme);
/// The role's own colour, as on maps; `faded` as maps show what was dropped.
[[nodiscard]] QColor roleFill(Role role, Theme theme, bool faded = false);

/// What is written on a colour of data.
[[nodiscard]] QColor inkOn(const QColor& ground);

/// What is wrong, in words on a panel.
[[nodiscard]] QColor problemInk(Theme theme);

[[nodiscard]] inline QColor toQColor(Rgb colour) { return QColor(colour.red, colour.green, colour.blue); }

/// The theme in force. One for the program; views repaint on `changed`.
class ThemeSwitch : public QObject {
  Q_OBJECT

 public:
  static ThemeSwitch& instance();

  [[nodiscard]] Theme theme() const { return theme_; }
  [[nodiscard]] const ThemeColours& colours() const { return ui::colours(theme_); }

  /// Sets style, palette and style sheet of the whole program.
  void apply(QApplication& application, Theme theme);

 Q_SIGNALS:
  void changed();

 private:
  Theme theme_ = Theme::light;
};

}  // namespace natscope::ui
