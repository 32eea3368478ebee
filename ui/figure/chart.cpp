// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/chart.h"

#include <QPainterPath>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/picture_file.h"
#include "ui/figure/series_look.h"

namespace natscope::ui {
namespace {

// Points.
constexpr QRectF plot(58, 30, 440, 260);
constexpr double legendTop = 330;
constexpr double legendRow = 14;
constexpr int legendColumns = 3;
constexpr double legendColumn = 160;
constexpr double markSide = 3;

struct Axis {
  double low = 0;
  double high = 1;
  bool isLog = false;

  [[nodiscard]] double place(double value) const {
    return isLog ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
};

/// All values of one axis, means and spreads.
template <class Pick>
Axis axisOf(const SeriesChart& chart, bool isLog, Pick pick) {
  Axis axis{std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(), isLog};
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      axis.low = std::min(axis.low, pick(point).low);
      axis.high = std::max(axis.high, pick(point).high);
    }
  }
  if (isLog) {
    axis.low /= 1.15;
    axis.high *= 1.15;
  } else {
    const double margin = std::max(0.06 * (axis.high - axis.low), 1e-6);
    axis.low -= margin;
    axis.high += margin;
  }
  return axis;
}

Expected<void> check(const SeriesChart& chart) {
  bool hasPoints = false;
  for (const ChartSeries& series : chart.series) {
    for (const ChartPoint& point : series.points) {
      hasPoints = true;
      for (const Spread& value : {point.x, point.y}) {
        if (!std::isfinite(value.low) || !std::isfinite(value.mean) || !std::isfinite(value.high))
          return fail(ErrorCode::bad_range, "a point of " + series.name + " is not a number");
      }
      if (chart.log_x && point.x.low <= 0)
        return fail(ErrorCode::bad_range, "a point of " + series.name + " has no place on a logarithmic axis");
    }
  }
  if (!hasPoints) return fail(ErrorCode::bad_range, "there is nothing to draw");
  return {};
}

/// Whole steps of 1, 2, 2.5 or 5 · 10^k within the axis; on a logarithmic one, powers of two of the upper end.
std::vector<double> ticksOf(const Axis& axis) {
  std::vector<double> ticks;
  if (axis.isLog) {
    for (double tick = std::pow(2, std::floor(std::log2(axis.high))); tick >= axis.low; tick /= 2)
      ticks.push_back(tick);
    return ticks;
  }
  const std::vector<double> steps = valueTicks(axis.high - axis.low, 6);
  const double step = steps[1];
  for (double tick = std::ceil(axis.low / step) * step; tick <= axis.high; tick += step) ticks.push_back(tick);
  return ticks;
}

class Painting {
 public:
  Painting(const SeriesChart& chart, Theme theme)
      : chart_(chart),
        ink_(inkOf(theme)),
        x_(axisOf(chart, chart.log_x, [](const ChartPoint& p) { return p.x; })),
        y_(axisOf(chart, false, [](const ChartPoint& p) { return p.y; })) {}

  [[nodiscard]] static QSizeF size(const SeriesChart& chart) {
    const auto rows = (chart.series.size() + legendColumns - 1) / legendColumns;
    return {plot.right() + 18, legendTop + static_cast<double>(rows) * legendRow + 6};
  }

  void paint(QPainter& painter) const {
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.fillRect(QRectF(QPointF(0, 0), size(chart_)), QColor(ink_.paper));
    const double titleTop = chart_.note.empty() ? 10 : 3;
    drawText(painter, {plot.left(), titleTop}, QString::fromStdString(chart_.title), figureFont(10, true), ink_.text,
             -1, -1);
    drawText(painter, {plot.left(), plot.top() - 4}, QString::fromStdString(chart_.note), figureFont(7), ink_.text, -1,
             1);
    paintAxes(painter);
    for (std::size_t i = 0; i < chart_.series.size(); ++i) paintSeries(painter, i);
    paintLegend(painter);
  }

 private:
  [[nodiscard]] QPointF pointAt(double x, double y) const {
    return {plot.left() + x_.place(x) * plot.width(), plot.bottom() - y_.place(y) * plot.height()};
  }

  void paintAxes(QPainter& painter) const {
    QColor grid(ink_.faint);
    grid.setAlphaF(0.3F);
    for (const double tick : ticksOf(y_)) {
      const double y = pointAt(x_.low, tick).y();
      painter.setPen(QPen(grid, 0.4));
      painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y));
      drawText(painter, {plot.left() - 5, y}, QString::number(tick, 'g', 4), figureFont(7), ink_.text, 1, 0);
    }
    for (const double tick : ticksOf(x_)) {
      const double x = pointAt(tick, y_.low).x();
      painter.setPen(QPen(grid, 0.4));
      painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()));
      const QString text =
          chart_.log_x ? QString::number(100 * tick, 'g', 3) + QStringLiteral(" %") : QString::number(tick, 'g', 4);
      drawText(painter, {x, plot.bottom() + 5}, text, figureFont(7), ink_.text, 0, -1);
    }
    painter.setPen(QPen(QColor(ink_.faint), 0.6));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(plot);
    drawText(painter, {plot.center().x(), plot.bottom() + 17}, QString::fromStdString(chart_.x_label), figureFont(8),
             ink_.text, 0, -1);
    drawTurnedText(painter, {plot.left() - 42, plot.center().y()}, QString::fromStdString(chart_.y_label),
                   figureFont(8), ink_.text, 0);
  }

  /// Colour and mark of a series, from 0.
  [[nodiscard]] std::size_t lookOf(std::size_t series) const {
    const int own = chart_.series[series].look;
    return own < 0 ? series : static_cast<std::size_t>(own);
  }
  [[nodiscard]] QRgb colourOf(std::size_t series) const { return seriesColour(lookOf(series)); }
  [[nodiscard]] QPen penOf(std::size_t series) const {
    const bool isBaseline = chart_.series[series].is_baseline;
    return {QColor(colourOf(series)), isBaseline ? 0.9 : 1.6, isBaseline ? Qt::DashLine : Qt::SolidLine, Qt::FlatCap,
            Qt::RoundJoin};
  }

  void paintMark(QPainter& painter, std::size_t series, QPointF at) const {
    painter.save();
    painter.translate(at);
    painter.setPen(QPen(QColor(colourOf(series)), 1));
    painter.setBrush(QColor(isSeriesFilled(lookOf(series)) ? colourOf(series) : ink_.paper));
    painter.drawPath(seriesMark(lookOf(series), markSide));
    painter.restore();
  }

  void paintSeries(QPainter& painter, std::size_t series) const {
    const auto& points = chart_.series[series].points;
    QPainterPath line;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const QPointF at = pointAt(points[i].x.mean, points[i].y.mean);
      if (i == 0)
        line.moveTo(at);
      else
        line.lineTo(at);
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(penOf(series));
    painter.drawPath(line);
    painter.setPen(QPen(QColor(colourOf(series)), 0.7));
    for (const ChartPoint& point : points) {
      painter.drawLine(pointAt(point.x.low, point.y.mean), pointAt(point.x.high, point.y.mean));
      painter.drawLine(pointAt(point.x.mean, point.y.low), pointAt(point.x.mean, point.y.high));
    }
    for (const ChartPoint& point : points) paintMark(painter, series, pointAt(point.x.mean, point.y.mean));
  }

  void paintLegend(QPainter& painter) const {
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const QPointF at(plot.left() - 30 + static_cast<double>(i % legendColumns) * legendColumn,
                       legendTop + static_cast<double>(i / legendColumns) * legendRow);
      painter.setPen(penOf(i));
      painter.drawLine(at, at + QPointF(20, 0));
      paintMark(painter, i, at + QPointF(10, 0));
      drawText(painter, at + QPointF(25, 0), QString::fromStdString(chart_.series[i].name), figureFont(8), ink_.text,
               -1, 0);
    }
  }

  const SeriesChart& chart_;
  FigureInk ink_;
  Axis x_, y_;
};

}  // namespace

Expected<QByteArray> renderChart(const SeriesChart& chart, FigureFormat format, Theme theme, double dpi) {
  NATSCOPE_CHECK(check(chart));
  const Painting painting(chart, theme);
  Picture picture;
  picture.size = Painting::size(chart);
  picture.title = QString::fromStdString(chart.title);
  picture.paper = inkOf(theme).paper;
  picture.provenance = chart.provenance;
  picture.metadata["provenance"] = chart.provenance;
  picture.paint = [&painting](QPainter& painter) { painting.paint(painter); };
  return encodePicture(picture, format, dpi);
}

Expected<void> drawChart(const SeriesChart& chart, Theme theme, double dpi, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderChart(chart, format, theme, dpi); });
}

}  // namespace natscope::ui
