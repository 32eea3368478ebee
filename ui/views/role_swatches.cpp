// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/role_swatches.h"

#include <QFontMetricsF>
#include <QObject>
#include <algorithm>

#include "core/cache/forced_role.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

constexpr double side = 14;
constexpr double lineHeight = 18;

double drawWords(QPainter& painter, QPointF at, const QString& words) {
  QFont font = painter.font();
  font.setPixelSize(12);
  font.setBold(false);
  painter.setFont(font);
  painter.setPen(ThemeSwitch::instance().colours().text);
  const double width = QFontMetricsF(font).horizontalAdvance(words);
  painter.drawText(QRectF(at, QSizeF(width + 2, lineHeight)), Qt::AlignLeft | Qt::AlignVCenter, words);
  return at.x() + width + 14;
}

}  // namespace

void drawRoleSign(QPainter& painter, const QRectF& square, Role role, bool faded) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(Qt::NoPen);
  const QColor fill = roleFill(role, ThemeSwitch::instance().theme(), faded);
  painter.setBrush(fill);
  painter.drawRoundedRect(square, 2.5, 2.5);
  QFont font = painter.font();
  font.setPixelSize(std::max(6, static_cast<int>(square.height() * 0.72)));
  font.setBold(true);
  painter.setFont(font);
  painter.setPen(faded ? ThemeSwitch::instance().colours().muted : inkOn(fill));
  painter.drawText(square, Qt::AlignCenter, QString(QLatin1Char(role_letter(role))));
  painter.restore();
}

double drawRoleSwatches(QPainter& painter, QPointF at, bool faded, double end) {
  double x = at.x();
  for (const Role role : {Role::global, Role::local, Role::sliding}) {
    drawRoleSign(painter, QRectF(x, at.y() + (lineHeight - side) / 2, side, side), role, false);
    x = drawWords(painter, {x + side + 5, at.y()}, QLatin1String(role_name(role)));
  }
  if (!faded) return x;
  drawRoleSign(painter, QRectF(x, at.y() + (lineHeight - side) / 2, side, side), Role::sliding, true);
  const QStringList meaning{QObject::tr("faded: dropped"), QObject::tr("dropped")};
  return drawWords(painter, {x + side + 5, at.y()},
                   longestFitting(meaning, painter.fontMetrics(), std::max(0.0, end - x - side - 5)));
}

QColor heldFill(Theme theme, bool isDropped) {
  const Rgb colour = held_colour(theme, isDropped);
  return QColor(colour.red, colour.green, colour.blue);
}

double drawHeldSwatches(QPainter& painter, QPointF at, double end, const QString& method) {
  double x = at.x();
  for (const bool isDropped : {false, true}) {
    painter.fillRect(QRectF(x, at.y() + (lineHeight - side) / 2, side, side),
                     heldFill(ThemeSwitch::instance().theme(), isDropped));
    x = drawWords(painter, {x + side + 5, at.y()}, isDropped ? QObject::tr("dropped") : QObject::tr("held"));
  }
  const QStringList why{QObject::tr("%1 has no roles").arg(method), QObject::tr("no roles")};
  return drawWords(painter, {x, at.y()}, longestFitting(why, painter.fontMetrics(), end - x));
}

}  // namespace natscope::ui
