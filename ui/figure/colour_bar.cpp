// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/colour_bar.h"

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/plot_painter.h"

namespace natscope::ui {

void drawColourRamp(QPainter& painter, ColourMap map, const ScaleRange& range, const ScaleOptions& scale,
                    const FigureInk& ink, const QRectF& bar) {
  QImage ramp(1, 256, QImage::Format_RGB32);
  for (int i = 0; i < 256; ++i) ramp.setPixel(0, i, toQRgb(colours(map)[static_cast<std::size_t>(255 - i)]));
  painter.drawImage(bar, ramp);
  painter.setPen(QPen(QColor(ink.faint), hairline));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(bar);
  constexpr double pitch = 9;
  for (const BarTick& tick : barTicks(range, scale, bar.height(), pitch)) {
    const double y = bar.bottom() - tick.level * bar.height();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(bar.right(), y), QPointF(bar.right() + tickLength, y));
    drawText(painter, {bar.right() + tickLength + 2, y}, tick.text, figureFont(7), ink.text, -1, 0);
  }
}

void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar) {
  drawColourRamp(painter, options.colours, range, options.scale, ink, bar);
  QString words = options.scale.normalise == Normalise::row ? QStringLiteral("share of the row's largest")
                                                            : QStringLiteral("attention weight");
  if (range.kind == ScaleKind::log) words += QStringLiteral(", log scale");
  painter.save();
  painter.translate(bar.right() + 40, bar.center().y());
  painter.rotate(-90);
  drawText(painter, {0, 0}, words, figureFont(7), ink.text, 0, 0);
  painter.restore();
}

}  // namespace natscope::ui
