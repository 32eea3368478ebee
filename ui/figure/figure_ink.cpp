// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_ink.h"

namespace natscope::ui {
namespace {

int mixed(int colour, int paper, double share) { return static_cast<int>(paper + share * (colour - paper)); }

}  // namespace

FigureInk inkOf(Theme theme) {
  if (theme == Theme::dark) return {qRgb(0x17, 0x1a, 0x1f), qRgb(0xe8, 0xea, 0xed), qRgb(0x80, 0x87, 0x91)};
  return {qRgb(0xff, 0xff, 0xff), qRgb(0x1b, 0x1e, 0x23), qRgb(0x80, 0x86, 0x8e)};
}

QRgb inkOn(QRgb ground) {
  const auto part = [](int value) { return static_cast<std::uint8_t>(value); };
  return toQRgb(ink_on({part(qRed(ground)), part(qGreen(ground)), part(qBlue(ground))}));
}

QRgb fadedRoleColour(Role role, Theme theme) {
  const Rgb full = role_colour(role, theme);
  const QRgb paper = inkOf(theme).paper;
  const double share = faded_share(theme);
  return qRgb(mixed(full.red, qRed(paper), share), mixed(full.green, qGreen(paper), share),
              mixed(full.blue, qBlue(paper), share));
}

}  // namespace natscope::ui
