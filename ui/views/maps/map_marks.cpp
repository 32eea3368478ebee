// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/map_marks.h"

#include <QFontMetricsF>
#include <algorithm>
#include <cmath>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/token_label.h"
#include "ui/models/grouped_number.h"
#include "ui/theme/theme.h"
#include "ui/views/fitting_words.h"

namespace natscope::ui {
namespace {

constexpr double tokenPitch = 12;  // below it, token texts would overlap
constexpr double tickLength = 4;
constexpr double barWidth = 12;
constexpr double longestBar = 150;
constexpr double heightWithCells = 150;
constexpr double leastOutlined = 4;  // pixels a cell, below which an outline would cover its neighbours

enum class Edge { left, top };

QFont smallFont(const QPainter& painter, bool bold = false) {
  QFont font = painter.font();
  font.setPixelSize(11);
  font.setBold(bold);
  return font;
}

/// Whether an edge has texts of tokens rather than their positions.
bool hasTexts(const MapTransform& transform, Edge edge) {
  return transform.scale() >= tokenPitch && (edge == Edge::left || transform.viewport().top() >= mapTop);
}

QString tickText(const MapTransform& transform, const SequenceModel& sequence, Edge edge, std::int64_t position) {
  const QString label = tokenLabel(sequence.name(TokenPos(static_cast<std::int32_t>(position))), 7);
  return hasTexts(transform, edge) ? label : groupedNumber(position);
}

void drawTick(QPainter& painter, const MapTransform& transform, Edge edge, std::int64_t position, const QString& text,
              const QColor& colour, bool bold) {
  const double centre = static_cast<double>(position) + 0.5;
  const QRectF& area = transform.viewport();
  const QPointF at =
      edge == Edge::left ? QPointF(area.left(), transform.yOf(centre)) : QPointF(transform.xOf(centre), area.top());
  painter.setFont(smallFont(painter, bold));
  painter.setPen(colour);
  const QFontMetricsF metrics(painter.font());
  const bool turned = edge == Edge::top && hasTexts(transform, edge);
  painter.save();
  painter.translate(at);
  if (edge == Edge::left) {
    painter.drawLine(QPointF(-tickLength, 0), QPointF(0, 0));
    painter.drawText(QPointF(-tickLength - 3 - metrics.horizontalAdvance(text), metrics.capHeight() / 2), text);
  } else {
    painter.drawLine(QPointF(0, -tickLength), QPointF(0, 0));
    if (turned) {
      painter.rotate(-90);
      painter.drawText(QPointF(tickLength + 3, metrics.capHeight() / 2), text);
    } else {
      painter.drawText(QPointF(-metrics.horizontalAdvance(text) / 2, -tickLength - 3), text);
    }
  }
  painter.restore();
}

/// Where a plain tick's text would cover a selected one's.
bool isNear(std::int64_t position, const std::vector<std::int64_t>& marked, double scale, bool areTexts) {
  const double reach = areTexts ? tokenPitch - 1 : 26;
  return std::any_of(marked.begin(), marked.end(),
                     [&](std::int64_t mark) { return std::abs(static_cast<double>(mark - position)) * scale < reach; });
}

void drawEdge(QPainter& painter, const MapTransform& transform, const SequenceModel& sequence, Edge edge,
              const std::vector<std::int64_t>& marked) {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const std::int64_t first = edge == Edge::left ? transform.firstQuery() : transform.firstKey();
  const std::int64_t end = edge == Edge::left ? transform.endQuery() : transform.endKey();
  const double pitch = edge == Edge::left ? transform.scale() : transform.scaleAcross();
  const double length = static_cast<double>(end - first) * pitch;
  const bool areTexts = hasTexts(transform, edge);
  const int most = areTexts ? static_cast<int>(end - first) : std::max(2, static_cast<int>(length / 52));
  for (const std::int64_t tick : positionTicks(first, end - first, most)) {
    if (!isNear(tick, marked, pitch, areTexts))
      drawTick(painter, transform, edge, tick, tickText(transform, sequence, edge, tick), theme.muted, false);
  }
  // The one that views show comes last in `marked` and is drawn first: of two that would overlap it is the one to read.
  std::vector<std::int64_t> drawn;
  for (auto each = marked.rbegin(); each != marked.rend(); ++each) {
    const std::int64_t mark = *each;
    if (isNear(mark, drawn, pitch, areTexts)) continue;
    drawn.push_back(mark);
    if (mark < first || mark >= end) continue;
    // As the ticks beside it: the text of a token “4” among positions would be read as one.
    drawTick(painter, transform, edge, mark, tickText(transform, sequence, edge, mark), theme.crosshair, true);
  }
}

/// An outline: what tints a cell makes it another weight to whoever reads it against the bar.
void drawBand(QPainter& painter, const MapTransform& transform, std::int64_t position, bool isKey,
              const QColor& colour) {
  const QRectF& area = transform.viewport();
  const double width = std::max(1.0, isKey ? transform.scaleAcross() : transform.scale());
  const QRectF band = isKey ? QRectF(transform.xOf(static_cast<double>(position)), area.top(), width, area.height())
                            : QRectF(area.left(), transform.yOf(static_cast<double>(position)), area.width(), width);
  QPen pen(colour);
  // Of narrow cells a line would hide all: it is let through.
  if (width < leastOutlined) pen.setDashPattern({2, 6});
  painter.setPen(pen);
  const auto line = [&](double from) {
    const double at = std::floor(from) + 0.5;
    if (isKey)
      painter.drawLine(QPointF(at, area.top()), QPointF(at, area.bottom()));
    else
      painter.drawLine(QPointF(area.left(), at), QPointF(area.right(), at));
  };
  const double first = isKey ? band.left() : band.top();
  if (width < leastOutlined) return line(first + width / 2);
  line(first - 1);
  line(first + width);
}

double drawSwatch(QPainter& painter, QPointF at, const QBrush& brush, const QString& words) {
  const ThemeColours& theme = ThemeSwitch::instance().colours();
  const QRectF square(at, QSizeF(12, 12));
  painter.fillRect(square, brush);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(theme.border);
  painter.drawRect(square);
  painter.setPen(theme.text);
  painter.drawText(QPointF(square.right() + 6, square.bottom() - 2), words);
  return at.y() + 18;
}

}  // namespace

QBrush maskedBrush(Theme theme) {
  // Two greys in a fine diagonal: no colour map has them, and the texture tells masked from zero without any colour.
  constexpr int side = 6;
  const auto make = [](Theme which) {
    QImage texture(side, side, QImage::Format_RGB32);
    const QColor ground = toQColor(masked_colour(which));
    const QColor line = which == Theme::dark ? ground.lighter(135) : ground.darker(112);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) texture.setPixelColor(x, y, (x + y) % side == 0 ? line : ground);
    }
    return QBrush(texture);
  };
  static const QBrush light = make(Theme::light);
  static const QBrush dark = make(Theme::dark);
  return theme == Theme::dark ? dark : light;
}

void drawMapTicks(QPainter& painter, const MapTransform& transform, const SequenceModel& sequence,
                  const Selection& selection) {
  std::vector<std::int64_t> keys;
  std::vector<std::int64_t> queries;
  for (const TokenPos pinned : selection.pinned()) keys.push_back(pinned.value);
  if (const auto token = selection.token()) keys.push_back(token->value);
  if (const auto query = selection.query()) queries.push_back(query->value);
  painter.setRenderHint(QPainter::Antialiasing, false);
  drawEdge(painter, transform, sequence, Edge::left, queries);
  drawEdge(painter, transform, sequence, Edge::top, keys);
}

void drawCrosshair(QPainter& painter, const MapTransform& transform, const Selection& selection) {
  const QColor colour = ThemeSwitch::instance().colours().crosshair;
  for (const TokenPos pinned : selection.pinned()) drawBand(painter, transform, pinned.value, true, colour);
  if (const auto token = selection.token(); token && !selection.isPinned(*token))
    drawBand(painter, transform, token->value, true, colour);
  if (const auto query = selection.query()) drawBand(painter, transform, query->value, false, colour);
}

void drawMapLegend(QPainter& painter, const QRectF& area, const MapStyle& style, const ScaleRange& range,
                   std::int64_t side) {
  const ThemeColours& theme = colours(style.theme);
  painter.setFont(smallFont(painter));
  painter.setPen(theme.muted);
  painter.drawText(QPointF(area.left(), area.top() + 9),
                   style.value == CellValue::mean ? QObject::tr("weight, mean") : QObject::tr("weight"));
  const bool saysCells = side > 1 && area.height() >= heightWithCells;
  const double below = saysCells ? 115 : 96;
  const QRectF bar(area.left(), area.top() + 18, barWidth, std::clamp(area.height() - below, 30.0, longestBar));
  QImage ramp(1, 256, QImage::Format_RGB32);
  const auto table = natscope::colours(style.colours);
  for (int i = 0; i < 256; ++i) ramp.setPixelColor(0, i, toQColor(table[static_cast<std::size_t>(255 - i)]));
  painter.drawImage(bar, ramp);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(theme.border);
  painter.drawRect(bar);
  painter.setPen(theme.text);
  constexpr double pitch = 11;
  for (const BarTick& tick : barTicks(range, style.scale, bar.height(), pitch))
    painter.drawText(QPointF(bar.right() + 6, bar.bottom() - tick.level * bar.height() + 4), tick.text);
  double y = bar.bottom() + 16;
  if (saysCells) {
    painter.setPen(theme.muted);
    painter.drawText(QPointF(area.left(), y + 4), longestFitting({QObject::tr("over %1 × %1 cells").arg(side),
                                                                  QObject::tr("over %1 × %1").arg(side)},
                                                                 painter.fontMetrics(), area.width()));
    y += 19;
  }
  y = drawSwatch(painter, {area.left(), y}, maskedBrush(style.theme), QObject::tr("masked"));
  drawSwatch(painter, {area.left(), y}, theme.panel, QObject::tr("future"));
  if (style.scale.hide_sink) {
    painter.setPen(theme.muted);
    painter.drawText(QPointF(area.left(), y + 32), QObject::tr("token 0 hidden"));
  }
}

}  // namespace natscope::ui
