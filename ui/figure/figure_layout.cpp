// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/figure/figure_layout.h"

#include <QFontMetricsF>
#include <QStringList>
#include <algorithm>
#include <cmath>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_painter.h"
#include "ui/figure/token_label.h"

namespace natscope::ui {
namespace {

// Points. A map of this size fits the text width of a page.
constexpr double mapSide = 360;
constexpr double largestCell = 24;
constexpr double roleMapWidth = 450;
constexpr double roleMapHeight = 240;
constexpr double curveHeight = 220;
constexpr double widestValue = 44;
constexpr double margin = 10;
constexpr double titleHeight = 18;
constexpr double axisTitle = 14;
constexpr double tickSpace = 6;
constexpr double barGap = 12;
constexpr double barWidth = 10;
constexpr double barLabels = 62;
constexpr double longestBar = 160;
constexpr double shortestBar = 112;  // beside low pictures: what stands along it needs as much
constexpr double legendHeight = 16;
constexpr double legendWidth = 330;
// An overview's maps: as large as a page's width allows, within these sides.
constexpr double overviewWidth = 500;
constexpr double largestMap = 96;
constexpr double smallestMap = 13;
constexpr double printedPixels = 300.0 / 72;  // a point, where the format has none of its own
constexpr double headLabels = 26;
constexpr double noteHeight = 13;
/// Below this pitch token texts overlap.
constexpr double smallestTokenPitch = 6.2;

AxisLabels labelCells(PositionRange range, double pitch, const std::vector<std::string>& texts, AxisTexts wish) {
  AxisLabels axis;
  axis.areTokens = !texts.empty() && wish != AxisTexts::positions && pitch >= smallestTokenPitch * 0.98;
  if (axis.areTokens) {
    axis.fontSize = static_cast<int>(std::clamp(std::floor(pitch), 6.0, 8.0));
    for (std::int64_t i = 0; i < range.size(); ++i) {
      const auto position = static_cast<std::size_t>(range.begin + i);
      const QString text = position < texts.size() ? tokenLabel(QString::fromStdString(texts[position])) : QString();
      axis.labels.push_back({static_cast<double>(i) + 0.5, text});
    }
  } else {
    const int ticks = std::max(2, static_cast<int>(pitch * static_cast<double>(range.size()) / 40));
    for (const std::int64_t tick : positionTicks(range.begin, range.size(), ticks)) {
      axis.labels.push_back({static_cast<double>(tick - range.begin) + 0.5, QString::number(tick)});
    }
  }
  for (const AxisLabel& label : axis.labels) {
    axis.longest = std::max(axis.longest, textWidth(figureFont(axis.fontSize), label.text));
  }
  return axis;
}

/// One label a layer, in the middle of its KV heads; layers are skipped where they stand too close.
AxisLabels labelLayers(std::int32_t layers, std::int32_t kvHeads, double pitch) {
  AxisLabels axis;
  const int room = std::max(1, static_cast<int>(layers * kvHeads * pitch / 8));
  for (const std::int64_t layer : positionTicks(0, layers, room)) {
    axis.labels.push_back({(static_cast<double>(layer) + 0.5) * kvHeads, QString::number(layer)});
  }
  axis.longest = textWidth(figureFont(axis.fontSize), QString::number(layers));
  return axis;
}

/// Whole pixels a cell where there are pixels.
double cellSize(double wanted, double pixelsPerPoint) {
  if (pixelsPerPoint <= 0) return wanted;
  return std::max(1.0, std::floor(wanted * pixelsPerPoint)) / pixelsPerPoint;
}

/// The pitch of `cells` cells on `side` points, wide enough for token texts where those are asked for.
double pitchOf(double side, std::int64_t cells, AxisTexts wish, double pixelsPerPoint) {
  double pitch = std::min(largestCell, side / static_cast<double>(cells));
  if (wish == AxisTexts::tokens) pitch = std::max(pitch, smallestTokenPitch + 1 / std::max(1.0, pixelsPerPoint));
  return cellSize(pitch, pixelsPerPoint);
}

double toWholePixel(double points, double pixelsPerPoint) {
  return pixelsPerPoint <= 0 ? points : std::ceil(points * pixelsPerPoint) / pixelsPerPoint;
}

FigureLayout place(QSizeF plot, AxisLabels across, AxisLabels down, bool hasBar, double pixelsPerPoint) {
  FigureLayout layout;
  const double left = toWholePixel(margin + axisTitle + down.longest + tickSpace, pixelsPerPoint);
  const double top = toWholePixel(margin + titleHeight, pixelsPerPoint);
  layout.plot = QRectF(QPointF(left, top), plot);
  const double below = tickSpace + (across.areTokens ? across.longest : 9) + axisTitle;
  layout.legendY = layout.plot.bottom() + below + 8;
  double right = layout.plot.right() + margin;
  if (hasBar) {
    layout.bar = QRectF(layout.plot.right() + barGap, top, barWidth, std::clamp(plot.height(), 40.0, longestBar));
    right = layout.bar.right() + barLabels;
    layout.legendY = std::max(layout.legendY, layout.bar.bottom() + 8);
  }
  layout.size =
      QSizeF(std::ceil(std::max(right, left + legendWidth)), std::ceil(layout.legendY + legendHeight + margin));
  layout.across = std::move(across);
  layout.down = std::move(down);
  return layout;
}

FigureLayout layOutMap(const Heatmap& map, const FigureData& figure, AxisTexts wish, double pixelsPerPoint) {
  const std::int64_t longest = std::max(map.queries.size(), map.keys.size());
  const double cell = pitchOf(mapSide, longest, wish, pixelsPerPoint);
  const QSizeF size(cell * static_cast<double>(map.keys.size()), cell * static_cast<double>(map.queries.size()));
  FigureLayout layout =
      place(size, labelCells(map.keys, cell, figure.token_texts, wish),
            labelCells(map.queries, cell, figure.token_texts, wish), map.kind == FigureKind::attention, pixelsPerPoint);
  layout.cell = QSizeF(cell, cell);
  return layout;
}

FigureLayout layOutRoles(const RoleMap& map, const FigureData& figure, AxisTexts wish, double pixelsPerPoint) {
  const double rows = map.layers * map.kv_heads;
  const double width = pitchOf(roleMapWidth, map.length, wish, pixelsPerPoint);
  const double height = cellSize(std::clamp(roleMapHeight / rows, 2.0, 12.0), pixelsPerPoint);
  const PositionRange all{0, static_cast<std::int32_t>(map.length)};
  FigureLayout layout = place(QSizeF(width * static_cast<double>(map.length), height * rows),
                              labelCells(all, width, figure.token_texts, wish),
                              labelLayers(map.layers, map.kv_heads, height), false, pixelsPerPoint);
  layout.cell = QSizeF(width, height);
  return layout;
}

FigureLayout layOutOverview(const HeadOverview& maps, double pixelsPerPoint) {
  const double gap = maps.heads > 16 ? 2 : 4;
  const double wanted = std::clamp(overviewWidth / maps.heads - gap, smallestMap, largestMap);
  const double pixels = wanted * (pixelsPerPoint > 0 ? pixelsPerPoint : printedPixels);
  FigureLayout layout;
  // A map that nearly has a pixel for every cell gets them: then nothing is put together.
  constexpr double nearly = 0.75;
  layout.mapPixels = pixels >= nearly * maps.side ? maps.side : static_cast<std::int32_t>(pixels);
  const double cell = cellSize(std::max(wanted, 1.0) / layout.mapPixels, pixelsPerPoint);
  layout.cell = QSizeF(cell, cell);
  layout.gapPixels = std::max(1, static_cast<int>(std::lround(gap / cell)));
  const double pitch = cell * (layout.mapPixels + layout.gapPixels);
  const auto rows = static_cast<double>(maps.layers.size());
  const QSizeF plot(pitch * maps.heads - cell * layout.gapPixels, pitch * rows - cell * layout.gapPixels);
  const auto labels = [&](std::int64_t count, double room, const auto& text) {
    AxisLabels axis;
    for (const std::int64_t tick :
         positionTicks(0, count, std::max(1, static_cast<int>(pitch * static_cast<double>(count) / room)))) {
      axis.labels.push_back(
          {static_cast<double>(tick) * (layout.mapPixels + layout.gapPixels) + layout.mapPixels / 2.0, text(tick)});
      axis.longest = std::max(axis.longest, textWidth(figureFont(axis.fontSize), axis.labels.back().text));
    }
    return axis;
  };
  layout.across = labels(maps.heads, 12, [](std::int64_t head) { return QString::number(head); });
  layout.down = labels(static_cast<std::int64_t>(maps.layers.size()), 9, [&](std::int64_t row) {
    return QString::number(maps.layers[static_cast<std::size_t>(row)].value);
  });
  const double left = toWholePixel(margin + axisTitle + layout.down.longest + tickSpace, pixelsPerPoint);
  const double kvLabels = maps.kv_heads != maps.heads ? noteHeight : 0;
  const double top = toWholePixel(margin + titleHeight + headLabels + kvLabels, pixelsPerPoint);
  layout.plot = QRectF(QPointF(left, top), plot);
  layout.bar = QRectF(layout.plot.right() + barGap, top, barWidth, std::clamp(plot.height(), shortestBar, longestBar));
  layout.legendY = std::max(layout.plot.bottom(), layout.bar.bottom() + 4) + 10;
  layout.legendPitch = noteHeight;
  const int notes = std::find(maps.has_map.begin(), maps.has_map.end(), 0) == maps.has_map.end() ? 1 : 2;
  layout.size = QSizeF(std::ceil(std::max(layout.bar.right() + barLabels, left + legendWidth)),
                       std::ceil(layout.legendY + legendHeight + notes * noteHeight + margin));
  return layout;
}

}  // namespace

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

namespace {

FigureLayout layOutParts(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  if (const auto* map = std::get_if<Heatmap>(&figure.values))
    return layOutMap(*map, figure, options.texts, pixelsPerPoint);
  if (const auto* map = std::get_if<RoleMap>(&figure.values))
    return layOutRoles(*map, figure, options.texts, pixelsPerPoint);
  if (const auto* maps = std::get_if<HeadOverview>(&figure.values)) return layOutOverview(*maps, pixelsPerPoint);
  if (const auto* text = std::get_if<ColouredText>(&figure.values)) return layOutText(figure, *text);
  // A curve's labels depend on its values: curve_figure.cpp makes them.
  AxisLabels values;
  values.longest = widestValue;
  FigureLayout layout = place(QSizeF(roleMapWidth, curveHeight), {}, std::move(values), false, pixelsPerPoint);
  // Dense, the run itself, and those beside it, each on a line of its own.
  if (!figure.compared.empty())
    layout.size.rheight() += layout.legendPitch * static_cast<double>(figure.compared.size() + 1);
  return layout;
}

}  // namespace

FigureLayout layOut(const FigureData& figure, const FigureOptions& options, double pixelsPerPoint) {
  FigureLayout layout = layOutParts(figure, options, pixelsPerPoint);
  // A title that tells of much that was set by hand is wider than some figures.
  const double title = layout.plot.left() + textWidth(titleFont(), shownTitle(figure, options)) + margin;
  layout.size.setWidth(std::max(layout.size.width(), std::ceil(title)));
  return layout;
}

}  // namespace natscope::ui
