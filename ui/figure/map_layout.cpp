// SPDX-License-Identifier: GPL-3.0-or-later
/// Where maps of cells stand: a head's, and those with a row for each KV head.
#include "ui/figure/map_layout.h"

#include <algorithm>
#include <cmath>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/token_label.h"

namespace natscope::ui {
namespace {

// Points. A map of this size fits the text width of a page.
constexpr double mapSide = 360;
constexpr double largestCell = 24;
constexpr double rowsHeight = 240;
constexpr double smallSide = 200;  // below it positions stand closer
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
    const double side = pitch * static_cast<double>(range.size());
    const int ticks = std::max(2, static_cast<int>(side / (side < smallSide ? 30 : 40)));
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

/// One axis of a map: how far apart its cells are, and how many pixels its picture has for all of them.
struct Cells {
  double pitch = 0;
  std::int64_t pixels = 0;

  [[nodiscard]] double side(std::int64_t cells) const { return pitch * static_cast<double>(cells); }
};

/// `cells` on `side` points. Where that leaves a pixel no cell of its own, `isFitted` puts several together, and else
/// the side grows.
Cells cellsOn(double side, std::int64_t cells, bool isFitted, const FigureOptions& options, double pixelsPerPoint) {
  if (options.cellPixels > 0) return {options.cellPixels * 72 / options.dpi, cells};
  double pitch = side / static_cast<double>(cells);
  if (options.width <= 0) pitch = std::min(largestCell, pitch);
  if (options.texts == AxisTexts::tokens)
    pitch = std::max(pitch, smallestTokenPitch + 1 / std::max(1.0, pixelsPerPoint));
  const double pixels = rasterPixels(side, pixelsPerPoint);
  if (isFitted && pitch * static_cast<double>(cells) <= side + 1e-6 && pixels < static_cast<double>(cells)) {
    const double whole = pixelsPerPoint > 0 ? pixels / pixelsPerPoint : side;
    return {whole / static_cast<double>(cells), static_cast<std::int64_t>(pixels)};
  }
  // A chosen width is filled: cells may then differ by a pixel, where their picture is scaled.
  if (options.width > 0) return {pitch, cells};
  return {wholePixels(pitch, pixelsPerPoint), cells};
}

}  // namespace

FigureLayout layOutMap(const Heatmap& map, const FigureData& figure, const FigureOptions& options,
                       double pixelsPerPoint) {
  const bool hasBar = map.kind == FigureKind::attention;
  const std::int64_t longest = std::max(map.queries.size(), map.keys.size());
  const auto chosenOn = [&](const AxisLabels& queries) {
    const double side = plotWidth(options, mapSide, leftOfPlot(queries, pixelsPerPoint), rightOfPlot(hasBar));
    return cellsOn(side, longest, options.width > 0, options, pixelsPerPoint);
  };
  // With tokens beside it a map of a chosen width is smaller; where they then do not fit, it has the room of positions.
  AxisLabels down = labelCells(map.queries, largestCell, figure.token_texts, options.texts);
  Cells chosen = chosenOn(down);
  if (labelCells(map.queries, chosen.pitch, figure.token_texts, options.texts).areTokens != down.areTokens) {
    down = labelCells(map.queries, chosen.pitch, {}, AxisTexts::positions);
    chosen = chosenOn(down);
  }
  const AxisTexts texts = down.areTokens ? options.texts : AxisTexts::positions;
  const AxisLabels across = labelCells(map.keys, chosen.pitch, figure.token_texts, texts);
  down = labelCells(map.queries, chosen.pitch, figure.token_texts, texts);
  const double pixelsPerCell = static_cast<double>(chosen.pixels) / static_cast<double>(longest);
  const auto pixels = [&](std::int64_t cells) {
    return std::max(1, static_cast<int>(std::lround(pixelsPerCell * static_cast<double>(cells))));
  };
  const double pixel = chosen.side(longest) / static_cast<double>(chosen.pixels);
  const QSize raster(pixels(map.keys.size()), pixels(map.queries.size()));
  const QSizeF size(pixel * raster.width(), pixel * raster.height());
  FigureLayout layout = aroundPlot(size, across, down, hasBar, pixelsPerPoint);
  layout.raster = raster;
  layout.cell = QSizeF(size.width() / static_cast<double>(map.keys.size()),
                       size.height() / static_cast<double>(map.queries.size()));
  return layout;
}

FigureLayout layOutTokenRows(std::int32_t layers, std::int32_t kvHeads, std::int64_t tokens, const FigureData& figure,
                             const FigureOptions& options, double pixelsPerPoint) {
  const int rows = layers * kvHeads;
  const double rowHeight = wholePixels(std::clamp(rowsHeight / textScale(options) / rows, 2.0, 12.0), pixelsPerPoint);
  AxisLabels down = labelLayers(layers, kvHeads, rowHeight);
  const double side = plotWidth(options, page::textWidth, leftOfPlot(down, pixelsPerPoint), rightOfPlot(false));
  const Cells across = cellsOn(side, tokens, true, options, pixelsPerPoint);
  const QSizeF size(across.side(tokens), rowHeight * rows);
  FigureLayout layout = aroundPlot(
      size, labelCells({0, static_cast<std::int32_t>(tokens)}, across.pitch, figure.token_texts, options.texts),
      std::move(down), false, pixelsPerPoint);
  layout.raster = QSize(static_cast<int>(across.pixels), rows);
  layout.cell = QSizeF(across.pitch, rowHeight);
  return layout;
}

}  // namespace natscope::ui
