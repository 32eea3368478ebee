// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/plot_painter.h"

#include <QPaintEngine>
#include <QTransform>
#include <algorithm>

#include "ui/figure/figure_text.h"

namespace natscope::ui {
namespace {

/// Several pixels a cell: programs that smooth the pictures of an SVG whatever it says (librsvg, LibreOffice) then blur
/// edges of cells alone, not all of a small map.
QImage enlarged(const QImage& image) {
  constexpr qint64 mostPixels = 4 << 20;
  constexpr int mostTimes = 12;
  const qint64 cells = qint64{image.width()} * image.height();
  int times = 1;
  while (times < mostTimes && (times + 1) * (times + 1) * cells <= mostPixels) ++times;
  return image.scaled(image.size() * times, Qt::IgnoreAspectRatio, Qt::FastTransformation);
}

bool isOfPixels(const QPainter& painter) { return painter.device()->devType() == QInternal::Image; }

/// Whole device pixels: then every cell has the same number of them, or in a chosen width nearly.
QRect pixelsOf(const QPainter& painter, const QRectF& plot) {
  const double scale = painter.worldTransform().m11();
  return {qRound(plot.left() * scale), qRound(plot.top() * scale), qRound(plot.width() * scale),
          qRound(plot.height() * scale)};
}

}  // namespace

void drawRaster(QPainter& painter, const QRectF& plot, const QImage& image) {
  painter.save();
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.setRenderHint(QPainter::Antialiasing, false);
  if (isOfPixels(painter)) {
    const QRect pixels = pixelsOf(painter, plot);
    painter.resetTransform();
    painter.drawImage(pixels, image);
  } else {
    const bool isSvg = painter.paintEngine()->type() == QPaintEngine::SVG;
    painter.drawImage(plot, isSvg ? enlarged(image) : image);
  }
  painter.restore();
}

void drawFrame(QPainter& painter, const FigureInk& ink, const QRectF& plot) {
  QRectF inside = plot;
  if (isOfPixels(painter)) {
    const double scale = painter.worldTransform().m11();
    const QRect pixels = pixelsOf(painter, plot);
    inside = {pixels.left() / scale, pixels.top() / scale, pixels.width() / scale, pixels.height() / scale};
  }
  constexpr double half = hairline / 2;
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(QColor(ink.faint), hairline, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
  painter.drawRect(inside.adjusted(-half, -half, half, half));
}

void drawAxes(QPainter& painter, const FigureInk& ink, const FigureLayout& layout) {
  drawFrame(painter, ink, layout.plot);
  const QRectF& plot = layout.plot;
  for (const AxisLabel& label : layout.across.labels) {
    const double x = plot.left() + label.at * layout.cell.width();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + tickLength));
    const QPointF at(x, plot.bottom() + tickLength + 2);
    const QFont font = figureFont(layout.across.fontSize);
    if (layout.across.areTokens) {
      drawTurnedText(painter, at, label.text, font, ink.text, 1);
    } else {
      drawText(painter, at, label.text, font, ink.text, 0, -1);
    }
  }
  for (const AxisLabel& label : layout.down.labels) {
    const double y = plot.top() + label.at * layout.cell.height();
    painter.setPen(QPen(QColor(ink.faint), hairline));
    painter.drawLine(QPointF(plot.left() - tickLength, y), QPointF(plot.left(), y));
    drawText(painter, {plot.left() - tickLength - 2, y}, label.text, figureFont(layout.down.fontSize), ink.text, 1, 0);
  }
}

void drawAxisTitles(QPainter& painter, const FigureInk& ink, const FigureLayout& layout, const QString& across,
                    const QString& down) {
  const double labels = layout.across.areTokens ? layout.across.longest : 9;
  drawText(painter, {layout.plot.center().x(), layout.plot.bottom() + 6 + labels + 2}, across, figureFont(8), ink.text,
           0, -1);
  drawTurnedText(painter, {layout.plot.left() - 6 - layout.down.longest - 9, layout.plot.center().y()}, down,
                 figureFont(8), ink.text, 0);
}

}  // namespace natscope::ui
