// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/series_look.h"

#include <QPolygonF>
#include <array>

namespace natscope::ui {
namespace {

/// Okabe–Ito (Color Universal Design, 2008); black and yellow give way to greys that both papers carry. Two more behind
/// them, which outlined marks tell apart from what is near to them.
constexpr auto colours =
    std::to_array<QRgb>({qRgb(0x99, 0x99, 0x99), qRgb(0xd5, 0x5e, 0x00), qRgb(0x00, 0x72, 0xb2), qRgb(0x00, 0x9e, 0x73),
                         qRgb(0xcc, 0x79, 0xa7), qRgb(0xe6, 0x9f, 0x00), qRgb(0x56, 0xb4, 0xe9), qRgb(0x77, 0x66, 0x33),
                         qRgb(0x94, 0x67, 0xbd), qRgb(0xaf, 0xaa, 0x14)});
constexpr std::size_t shapes = 4;

}  // namespace

QRgb seriesColour(std::size_t look) { return colours[look % colours.size()]; }

bool isSeriesFilled(std::size_t look) { return look < shapes; }

QPainterPath seriesMark(std::size_t look, double radius) {
  QPainterPath path;
  const double r = radius;
  switch (look % shapes) {
    case 0:
      path.addEllipse(QPointF(0, 0), r, r);
      break;
    case 1:
      path.addRect(-r * 0.9, -r * 0.9, 1.8 * r, 1.8 * r);
      break;
    case 2:
      path.addPolygon(QPolygonF({{0, -1.2 * r}, {1.1 * r, 0.9 * r}, {-1.1 * r, 0.9 * r}}));
      break;
    default:
      path.addPolygon(QPolygonF({{0, -1.3 * r}, {1.3 * r, 0}, {0, 1.3 * r}, {-1.3 * r, 0}}));
      break;
  }
  path.closeSubpath();
  return path;
}

}  // namespace natscope::ui
