// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_text.h"

#include <QFontMetricsF>

namespace natscope::ui {

QFont figureFont(int points, bool bold) {
  // DejaVu first: it has the signs for spaces and line breaks that token labels use.
  QFont font(QStringList{QStringLiteral("DejaVu Sans"), QStringLiteral("Noto Sans"), QStringLiteral("sans-serif")});
  font.setPixelSize(points);
  font.setBold(bold);
  font.setHintingPreference(QFont::PreferNoHinting);
  font.setStyleStrategy(QFont::PreferAntialias);
  return font;
}

QFont titleFont() { return figureFont(10, true); }

double textWidth(const QFont& font, const QString& text) { return QFontMetricsF(font).horizontalAdvance(text); }

void drawText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAcross,
              int alignDown) {
  const QFontMetricsF metrics(font);
  const double x = at.x() - (alignAcross + 1) * 0.5 * metrics.horizontalAdvance(text);
  // Letters are centred on the height of capitals, not on the line.
  const double y = alignDown < 0   ? at.y() + metrics.ascent()
                   : alignDown > 0 ? at.y() - metrics.descent()
                                   : at.y() + metrics.capHeight() / 2;
  painter.setFont(font);
  painter.setPen(QColor(colour));
  painter.drawText(QPointF(x, y), text);
}

void drawTurnedText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour,
                    int alignAlong) {
  painter.save();
  painter.translate(at);
  painter.rotate(-90);
  drawText(painter, {0, 0}, text, font, colour, alignAlong, 0);
  painter.restore();
}

}  // namespace natscope::ui
