// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "ui/figure/chart.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/picture_file.h"

namespace natscope::ui {
namespace {

// Points.
constexpr QSizeF cell(30, 22);
constexpr double left = 62;
constexpr double right = 12;
constexpr double top = 60;
constexpr double gap = 18;
constexpr double below = 40;
/// Above the panels of a further row: what they are called.
constexpr double nameRoom = 30;
/// Panels beside each other; more go below them.
constexpr std::size_t mostBeside = 4;

Expected<void> check(const GridChart& chart) {
  if (chart.panels.empty() || chart.rows.empty() || chart.columns.empty())
    return fail(ErrorCode::bad_range, "there is nothing to draw");
  for (const GridPanel& panel : chart.panels) {
    if (panel.shares.size() != chart.rows.size() * chart.columns.size())
      return fail(ErrorCode::bad_arrays, "the panel " + panel.name + " has not one value a cell");
  }
  return {};
}

/// Where the panels stand.
struct GridLayout {
  QSizeF cells;     ///< of a panel
  double slot = 0;  ///< what a panel takes across: its cells, or its name where that is wider

  explicit GridLayout(const GridChart& chart)
      : cells(cell.width() * static_cast<double>(chart.columns.size()),
              cell.height() * static_cast<double>(chart.rows.size())),
        slot(std::max(cells.width(), textWidth(figureFont(8), QString::fromStdString(chart.column_label)))) {
    for (const GridPanel& panel : chart.panels) {
      for (const std::string& text : {panel.name, panel.note})
        slot = std::max(slot, textWidth(figureFont(8), QString::fromStdString(text)));
    }
  }

  /// The upper left corner of a panel's cells, which stand in the middle of its slot.
  [[nodiscard]] QPointF at(std::size_t panel) const {
    return {left + (slot - cells.width()) / 2 + (slot + gap) * static_cast<double>(panel % mostBeside),
            top + (cells.height() + below + nameRoom) * static_cast<double>(panel / mostBeside)};
  }
  [[nodiscard]] QSizeF size(const GridChart& chart) const {
    const std::size_t panels = chart.panels.size();
    const double across = static_cast<double>(std::min(panels, mostBeside)) * (slot + gap) - gap;
    const double title = textWidth(figureFont(10, true), QString::fromStdString(chart.title));
    return {std::max(left + across, at(0).x() + title) + right, at(panels - 1).y() + cells.height() + below};
  }
};

/// The lengths beside a panel, and what they are.
void paintRowNames(QPainter& painter, const GridChart& chart, QPointF at, const FigureInk& ink) {
  for (std::size_t row = 0; row < chart.rows.size(); ++row) {
    drawText(painter, {at.x() - 5, at.y() + cell.height() * (static_cast<double>(row) + 0.5)},
             QString::fromStdString(chart.rows[row]), figureFont(7), ink.text, 1, 0);
  }
  drawTurnedText(painter, {at.x() - left + 16, at.y() + cell.height() * static_cast<double>(chart.rows.size()) / 2},
                 QString::fromStdString(chart.row_label), figureFont(8), ink.text, 0);
}

void paintPanel(QPainter& painter, const GridChart& chart, const GridPanel& panel, const QRectF& cells,
                const FigureInk& ink, Theme theme) {
  const double centre = cells.center().x();
  const double name = panel.note.empty() ? cells.top() - 6 : cells.top() - 17;
  drawText(painter, {centre, name}, QString::fromStdString(panel.name), figureFont(8), ink.text, 0, 1);
  drawText(painter, {centre, cells.top() - 5}, QString::fromStdString(panel.note), figureFont(7), ink.text, 0, 1);
  for (std::size_t i = 0; i < panel.shares.size(); ++i) {
    const QRectF box(cells.topLeft() + QPointF(cell.width() * static_cast<double>(i % chart.columns.size()),
                                               cell.height() * static_cast<double>(i / chart.columns.size())),
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
    drawText(painter, {cells.left() + cell.width() * (static_cast<double>(i) + 0.5), cells.bottom() + 4},
             QString::fromStdString(chart.columns[i]), figureFont(6), ink.text, 0, -1);
  }
  drawText(painter, {centre, cells.bottom() + 15}, QString::fromStdString(chart.column_label), figureFont(8), ink.text,
           0, -1);
}

void paint(QPainter& painter, const GridChart& chart, const GridLayout& layout, Theme theme) {
  const FigureInk ink = inkOf(theme);
  painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
  painter.fillRect(QRectF(QPointF(0, 0), layout.size(chart)), QColor(ink.paper));
  drawText(painter, {layout.at(0).x(), 8}, QString::fromStdString(chart.title), figureFont(10, true), ink.text, -1, -1);
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const QRectF cells(layout.at(i), layout.cells);
    if (i % mostBeside == 0) paintRowNames(painter, chart, cells.topLeft(), ink);
    paintPanel(painter, chart, chart.panels[i], cells, ink, theme);
  }
}

}  // namespace

Expected<QByteArray> renderGrid(const GridChart& chart, FigureFormat format, Theme theme, double dpi) {
  NATSCOPE_CHECK(check(chart));
  const GridLayout layout(chart);
  Picture picture;
  picture.size = layout.size(chart);
  picture.title = QString::fromStdString(chart.title);
  picture.paper = inkOf(theme).paper;
  picture.provenance = chart.provenance;
  picture.paint = [&](QPainter& painter) { paint(painter, chart, layout, theme); };
  return encodePicture(picture, format, dpi);
}

Expected<void> drawGrid(const GridChart& chart, Theme theme, double dpi, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderGrid(chart, format, theme, dpi); });
}

}  // namespace natscope::ui
