// SPDX-License-Identifier: GPL-3.0-or-later
/// The texts of figures: their fonts, how wide they are, and where they stand.
#pragma once

#include <QFont>
#include <QPainter>
#include <QRgb>
#include <QString>

namespace natscope::ui {

/// A sans-serif font of whole points, without hinting: its metrics scale exactly.
[[nodiscard]] QFont figureFont(int points, bool bold = false);
[[nodiscard]] QFont titleFont();
[[nodiscard]] double textWidth(const QFont& font, const QString& text);

/// Text with its anchor at a point: -1 left or top, 0 centred, 1 right or bottom of it.
void drawText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAcross,
              int alignDown);
void drawTurnedText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAlong);

}  // namespace natscope::ui
