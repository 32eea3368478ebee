// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/token_box.h"

#include <QFontMetricsF>
#include <cmath>

namespace natscope::ui {
namespace {

constexpr double markHeight = 3;

Qt::PenStyle markOf(Role role) {
  switch (role) {
    case Role::global:
      return Qt::SolidLine;
    case Role::local:
      return Qt::DashLine;
    case Role::sliding:
      return Qt::DotLine;
  }
  return Qt::SolidLine;
}

}  // namespace

TokenLook lookOfRole(std::optional<Role> role, bool isHeld, const RoleColours& colours) {
  TokenLook look{colours.fill, colours.mark, role ? markOf(*role) : Qt::SolidLine, 1,
                 isHeld ? colours.text : colours.paleText};
  look.fill.setAlphaF(isHeld ? 0.30F : 0.07F);
  if (!isHeld) look.mark.setAlphaF(0.35F);
  return look;
}

TokenLook lookOfShare(double share, QColor colour, QColor text) {
  TokenLook look{colour, colour, Qt::SolidLine, share, text};
  look.fill.setAlphaF(static_cast<float>(0.04 + 0.40 * share));
  return look;
}

LossColours lossColours(Theme theme, const QColor& text, const QColor& unknownText) {
  if (theme == Theme::dark) return {QColor(0xf5, 0x9b, 0x42), QColor(0x5a, 0xb4, 0xf0), 0.52, text, unknownText};
  return {QColor(0xd5, 0x6a, 0x00), QColor(0x00, 0x72, 0xb2), 0.58, text, unknownText};
}

TokenLook lookOfLoss(double loss, const ScaleRange& range, const LossColours& colours) {
  if (!std::isfinite(loss)) return {Qt::transparent, Qt::transparent, Qt::SolidLine, 0, colours.unknownText};
  const float share = place(loss, range);
  TokenLook look{colours.worse, colours.worse, Qt::SolidLine, static_cast<double>(share), colours.text};
  look.fill.setAlphaF(share * static_cast<float>(colours.most));
  return look;
}

TokenLook lookOfLossDifference(double difference, const ScaleRange& range, const LossColours& colours) {
  if (difference > 0 || !std::isfinite(difference)) return lookOfLoss(difference, range, colours);
  LossColours turned = colours;
  turned.worse = colours.better;
  TokenLook look = lookOfLoss(-difference, range, turned);
  look.markStyle = Qt::DotLine;
  return look;
}

QRectF boxOf(const QRectF& place) { return place.adjusted(0.5, 1, -0.5, -markHeight - 3); }

void drawTokenBox(QPainter& painter, const QRectF& place, const QString& shown, const TokenLook& look) {
  const QRectF box = boxOf(place);
  painter.setPen(Qt::NoPen);
  painter.setBrush(look.fill);
  painter.drawRoundedRect(box, 2, 2);

  QPen pen(look.mark, 2.2, look.markStyle, Qt::FlatCap);
  if (pen.style() == Qt::DashLine) pen.setDashPattern({2, 1});
  if (pen.style() == Qt::DotLine) pen.setDashPattern({0.8, 0.9});
  painter.setPen(pen);
  const double y = place.bottom() - markHeight;
  const double length = look.markShare * (box.width() - 1);
  const bool isFromRight = painter.layoutDirection() == Qt::RightToLeft;
  const double begin = isFromRight ? box.right() - 0.5 - length : box.left() + 0.5;
  if (length > 0) painter.drawLine(QPointF(begin, y), QPointF(begin + length, y));

  painter.setPen(look.text);
  painter.drawText(QPointF(place.left(), box.top() + QFontMetricsF(painter.font()).ascent() + 1), shown);
}

}  // namespace natscope::ui
