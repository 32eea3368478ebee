// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "ui/figure/chart.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/picture_file.h"

namespace natscope::ui {
namespace {

// Points.
constexpr QSizeF cell(30, 22);
constexpr double left = 62;
constexpr double top = 52;
constexpr double panelGap = 18;
constexpr double below = 40;

Expected<void> check(const GridChart& chart) {
  if (chart.panels.empty() || chart.rows.empty() || chart.columns.empty())
    return fail(ErrorCode::bad_range, "there is nothing to draw");
  for (const GridPanel& panel : chart.panels) {
    if (panel.shares.size() != chart.rows.size() * chart.columns.size())
      return fail(ErrorCode::bad_arrays, "the panel " + panel.name + " has not one value a cell");
  }
  return {};
}

QSizeF sizeOf(const GridChart& chart) {
  const auto panels = static_cast<double>(chart.panels.size());
  const double panel = cell.width() * static_cast<double>(chart.columns.size());
  return {left + panels * panel + (panels - 1) * panelGap + 12,
          top + cell.height() * static_cast<double>(chart.rows.size()) + below};
}

void paintPanel(QPainter& painter, const GridChart& chart, const GridPanel& panel, QPointF at, const FigureInk& ink,
                Theme theme) {
  const double width = cell.width() * static_cast<double>(chart.columns.size());
  const double bottom = at.y() + cell.height() * static_cast<double>(chart.rows.size());
  drawText(painter, {at.x() + width / 2, at.y() - 6}, QString::fromStdString(panel.name), figureFont(8), ink.text, 0,
           1);
  for (std::size_t i = 0; i < panel.shares.size(); ++i) {
    const QRectF box(QPointF(at.x() + cell.width() * static_cast<double>(i % chart.columns.size()),
                             at.y() + cell.height() * static_cast<double>(i / chart.columns.size())),
                     cell);
    const auto share = panel.shares[i];
    const QRgb colour =
        share ? toQRgb(colour_at(ColourMap::viridis, static_cast<float>(*share))) : toQRgb(masked_colour(theme));
    painter.setPen(QPen(QColor(ink.paper), 0.8));
    painter.setBrush(QColor(colour));
    painter.drawRect(box);
    const QString text = share ? QString::number(std::lround(100 * *share)) : QStringLiteral("–");
    drawText(painter, box.center(), text, figureFont(7), inkOn(colour), 0, 0);
  }
  for (std::size_t i = 0; i < chart.columns.size(); ++i) {
    drawText(painter, {at.x() + cell.width() * (static_cast<double>(i) + 0.5), bottom + 4},
             QString::fromStdString(chart.columns[i]), figureFont(6), ink.text, 0, -1);
  }
  drawText(painter, {at.x() + width / 2, bottom + 15}, QString::fromStdString(chart.column_label), figureFont(8),
           ink.text, 0, -1);
}

void paint(QPainter& painter, const GridChart& chart, Theme theme) {
  const FigureInk ink = inkOf(theme);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
  painter.fillRect(QRectF(QPointF(0, 0), sizeOf(chart)), QColor(ink.paper));
  drawText(painter, {left, 8}, QString::fromStdString(chart.title), figureFont(10, true), ink.text, -1, -1);
  for (std::size_t row = 0; row < chart.rows.size(); ++row) {
    drawText(painter, {left - 5, top + cell.height() * (static_cast<double>(row) + 0.5)},
             QString::fromStdString(chart.rows[row]), figureFont(7), ink.text, 1, 0);
  }
  drawTurnedText(painter, {16, top + cell.height() * static_cast<double>(chart.rows.size()) / 2},
                 QString::fromStdString(chart.row_label), figureFont(8), ink.text, 0);
  const double step = cell.width() * static_cast<double>(chart.columns.size()) + panelGap;
  for (std::size_t i = 0; i < chart.panels.size(); ++i)
    paintPanel(painter, chart, chart.panels[i], {left + step * static_cast<double>(i), top}, ink, theme);
}

}  // namespace

Expected<QByteArray> renderGrid(const GridChart& chart, FigureFormat format, Theme theme, double dpi) {
  NATSCOPE_CHECK(check(chart));
  Picture picture;
  picture.size = sizeOf(chart);
  picture.title = QString::fromStdString(chart.title);
  picture.paper = inkOf(theme).paper;
  picture.provenance = "{}";
  picture.paint = [&](QPainter& painter) { paint(painter, chart, theme); };
  return encodePicture(picture, format, dpi);
}

Expected<void> drawGrid(const GridChart& chart, Theme theme, double dpi, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderGrid(chart, format, theme, dpi); });
}

}  // namespace natscope::ui
