// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/chart.h"

#include <QPainterPath>
#include <QStringList>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/legend.h"
#include "ui/figure/picture_file.h"
#include "ui/figure/series_look.h"

namespace natscope::ui {
namespace {

// Points.
constexpr double wholeWidth = 516;  // unless another one is asked for
constexpr QMarginsF aroundPlot(58, 30, 18, 40);
constexpr double highestPlot = 260;
constexpr double leastPlot = 120;
constexpr double legendRow = 14;
constexpr double legendBefore = 30;  // left of the plot
constexpr double legendSample = 20;
constexpr double titleLine = 13;
constexpr double legendColumn = 160;
constexpr double noteLine = 9;
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
    // Down to a number that the axis has: what lies left of all numbers cannot be read.
    axis.low = std::min(axis.low / 1.15, std::exp2(std::floor(std::log2(axis.low))));
    axis.high *= 1.15;
  } else {
    // Where all points have one value the axis still has a span that its numbers can show.
    const double span = axis.high - axis.low;
    const double size = std::max(std::abs(axis.high), std::abs(axis.low));
    const double margin = std::max({0.06 * span, span > 0 ? 1e-6 * size : 0.05 * size, 1e-6});
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

/// With as many decimals as tell it from its neighbours: 23.80 beside 23.85.
QString tickText(double tick, const std::vector<double>& ticks) {
  if (ticks.size() < 2) return QString::number(tick, 'g', 4);
  const double step = ticks[1] - ticks[0];
  int decimals = 0;
  for (double whole = step; decimals < 6 && std::abs(whole - std::round(whole)) > 1e-6 * whole; whole *= 10) ++decimals;
  return QString::number(tick, 'f', decimals);
}

class Painting {
 public:
  /// `width`: of the whole, points; 0: as wide as a page. `scale`: what everything is then drawn larger by.
  Painting(const SeriesChart& chart, Theme theme, double width, double scale)
      : chart_(chart),
        ink_(inkOf(theme)),
        width_((width > 0 ? width : wholeWidth) / scale),
        title_(linesOf(QString::fromStdString(chart.title), titleFont(), insideOf(width_))),
        note_(linesOf(QString::fromStdString(chart.note), figureFont(7), insideOf(width_))),
        plot_(plotOf(width_, scale, title_.size(), note_.size())),
        legend_(legendOf()),
        x_(axisOf(chart, chart.log_x, [](const ChartPoint& p) { return p.x; })),
        y_(axisOf(chart, false, [](const ChartPoint& p) { return p.y; })) {}

  [[nodiscard]] QSizeF size() const { return {width_, legendTop() + legend_.height + 6}; }

  /// Points that the widest of what may not fit needs; at most the width where all of it fits.
  [[nodiscard]] double neededWidth() const {
    constexpr double edge = 2;
    double needed = plot_.left() - legendBefore + legend_.width + edge;
    for (const QString& line : title_) needed = std::max(needed, plot_.left() + textWidth(titleFont(), line) + edge);
    for (const QString& line : note_) needed = std::max(needed, plot_.left() + textWidth(figureFont(7), line) + edge);
    // The axis' name stands in the middle of the plot.
    const double name = textWidth(figureFont(8), QString::fromStdString(chart_.x_label));
    needed = std::max(needed, width_ + 2 * (plot_.center().x() + name / 2 + edge - width_));
    return std::max(needed, width_ + 2 * (name / 2 + edge - plot_.center().x()));
  }

  void paint(QPainter& painter) const {
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.fillRect(QRectF(QPointF(0, 0), size()), QColor(ink_.paper));
    double titleTop = note_.isEmpty() ? 10 : 3;
    for (const QString& line : title_) {
      drawText(painter, {plot_.left(), titleTop}, line, titleFont(), ink_.text, -1, -1);
      titleTop += titleLine;
    }
    for (qsizetype line = 0; line < note_.size(); ++line) {
      const double bottom = plot_.top() - 4 - noteLine * static_cast<double>(note_.size() - 1 - line);
      drawText(painter, {plot_.left(), bottom}, note_[line], figureFont(7), ink_.text, -1, 1);
    }
    paintAxes(painter);
    for (std::size_t i = 0; i < chart_.series.size(); ++i) paintSeries(painter, i);
    paintLegend(painter, legend_, {plot_.left() - legendBefore, legendTop() - 4}, legendRow, ink_.text);
  }

 private:
  [[nodiscard]] static double insideOf(double width) { return width - aroundPlot.left() - aroundPlot.right(); }

  [[nodiscard]] static QRectF plotOf(double width, double scale, qsizetype titleLines, qsizetype noteLines) {
    const double inside = std::max(insideOf(width), 1.0);
    const auto more = [](qsizetype lines) { return static_cast<double>(std::max<qsizetype>(lines - 1, 0)); };
    const double below = titleLine * more(titleLines) + noteLine * more(noteLines);
    const double unused = titleLines == 0 && noteLines == 0 ? titleLine : 0;
    return {aroundPlot.left(), aroundPlot.top() + below - unused, inside,
            std::clamp(0.6 * inside, leastPlot, std::max(leastPlot, highestPlot / scale))};
  }

  [[nodiscard]] static QStringList linesOf(const QString& text, const QFont& font, double width) {
    const QString plain = text.simplified();
    return plain.isEmpty() ? QStringList() : brokenLines(plain, font, width);
  }

  /// In columns: on a page all legends have the same ones, a narrow figure has as many as its names leave room for. A
  /// name that no column holds is broken into lines.
  [[nodiscard]] Legend legendOf() const {
    const double room = width_ - aroundPlot.left() + legendBefore;
    double longest = 0;
    std::vector<LegendEntry> entries;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const QString name = QString::fromStdString(chart_.series[i].name).simplified();
      longest = std::max(longest, textWidth(figureFont(8), name));
      const auto sample = [this, i](QPainter& painter, QPointF at) {
        const QPointF line = at + QPointF(0, 4);
        painter.setPen(penOf(i));
        painter.drawLine(line, line + QPointF(legendSample, 0));
        paintMark(painter, i, line + QPointF(legendSample / 2, 0));
      };
      entries.push_back({legendSample + 1, sample, name});
    }
    const double needed = longest + 36;
    const double column = width_ >= wholeWidth && needed <= legendColumn ? legendColumn : needed;
    if (column > room) return placeLegend(std::move(entries), room, legendRow);
    const auto columns = static_cast<std::size_t>(std::floor(room / column));
    Legend legend;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const QPointF at(static_cast<double>(i % columns) * column, static_cast<double>(i / columns) * legendRow);
      legend.width = std::max(legend.width, at.x() + needed - 10);
      legend.height = at.y() + legendRow;
      const QString name = entries[i].words;
      legend.entries.push_back({std::move(entries[i]), at, {name}});
    }
    return legend;
  }

  [[nodiscard]] double legendTop() const { return plot_.bottom() + aroundPlot.bottom(); }

  [[nodiscard]] QPointF pointAt(double x, double y) const {
    return {plot_.left() + x_.place(x) * plot_.width(), plot_.bottom() - y_.place(y) * plot_.height()};
  }

  void paintAxes(QPainter& painter) const {
    QColor grid(ink_.faint);
    grid.setAlphaF(0.3F);
    const std::vector<double> steps = ticksOf(y_);
    for (const double tick : steps) {
      const double y = pointAt(x_.low, tick).y();
      painter.setPen(QPen(grid, 0.4));
      painter.drawLine(QPointF(plot_.left(), y), QPointF(plot_.right(), y));
      drawText(painter, {plot_.left() - 5, y}, tickText(tick, steps), figureFont(7), ink_.text, 1, 0);
    }
    for (const double tick : ticksOf(x_)) {
      const double x = pointAt(tick, y_.low).x();
      painter.setPen(QPen(grid, 0.4));
      painter.drawLine(QPointF(x, plot_.top()), QPointF(x, plot_.bottom()));
      const QString text =
          chart_.log_x ? QString::number(100 * tick, 'g', 3) + QStringLiteral(" %") : QString::number(tick, 'g', 4);
      drawText(painter, {x, plot_.bottom() + 5}, text, figureFont(7), ink_.text, 0, -1);
    }
    painter.setPen(QPen(QColor(ink_.faint), 0.6));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(plot_);
    drawText(painter, {plot_.center().x(), plot_.bottom() + 17}, QString::fromStdString(chart_.x_label), figureFont(8),
             ink_.text, 0, -1);
    drawTurnedText(painter, {plot_.left() - 42, plot_.center().y()}, QString::fromStdString(chart_.y_label),
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

  const SeriesChart& chart_;
  FigureInk ink_;
  double width_;
  QStringList title_;
  QStringList note_;
  QRectF plot_;
  Legend legend_;
  Axis x_, y_;
};

}  // namespace

Expected<QByteArray> renderChart(const SeriesChart& chart, FigureFormat format, const ChartOptions& options) {
  NATSCOPE_CHECK(check(chart));
  NATSCOPE_CHECK(checkFontSize(options.fontSize));
  const double scale = options.fontSize / usualFontSize;
  const Painting painting(chart, options.theme, options.width, scale);
  if (const double needed = painting.neededWidth(); needed > painting.size().width() + 1e-6) {
    const auto millimetres = [](double points) { return std::to_string(std::lround(points / pointsAMillimetre)); };
    return fail(ErrorCode::usage,
                "a chart " + millimetres(painting.size().width() * scale) + " mm wide has no room for its texts",
                "make it about " + millimetres(needed * scale + 3) + " mm wide, or its texts smaller");
  }
  Picture picture;
  picture.size = painting.size() * scale;
  picture.title = QString::fromStdString(chart.title);
  picture.paper = inkOf(options.theme).paper;
  picture.provenance = chart.provenance;
  picture.metadata["provenance"] = chart.provenance;
  picture.paint = [&painting, scale](QPainter& painter) {
    if (scale != 1) painter.scale(scale, scale);
    painting.paint(painter);
  };
  return encodePicture(picture, format, options.dpi);
}

Expected<void> drawChart(const SeriesChart& chart, const ChartOptions& options, const std::filesystem::path& path) {
  return writePicture(path, [&](FigureFormat format) { return renderChart(chart, format, options); });
}

}  // namespace natscope::ui
