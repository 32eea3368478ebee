// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRgb>

#include "core/export/colour_map.h"

namespace natscope::ui {

[[nodiscard]] constexpr QRgb toQRgb(Rgb colour) { return qRgb(colour.red, colour.green, colour.blue); }

/// Colours of everything in a figure that is no data.
struct FigureInk {
  QRgb paper;
  QRgb text;
  QRgb faint;  ///< axes, grid, what is less important
};
[[nodiscard]] FigureInk inkOf(Theme theme);

/// What is written on a cell of this colour.
[[nodiscard]] QRgb inkOn(QRgb ground);

/// The role's colour as a map of dropped entries shows it: mixed with the paper.
[[nodiscard]] QRgb fadedRoleColour(Role role, Theme theme);

}  // namespace natscope::ui
