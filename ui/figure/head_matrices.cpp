// SPDX-License-Identifier: GPL-3.0-or-later
/// A table of heads as matrices beside each other, one for each of its numbers: a row a layer, a column a head.
#include "ui/figure/head_matrices.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "ui/figure/axis_ticks.h"
#include "ui/figure/colour_bar.h"
#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_text.h"
#include "ui/figure/legend.h"
#include "ui/figure/plot_painter.h"

namespace natscope::ui {
namespace {

// Points.
constexpr double largestCell = 24;
constexpr double smallestCell = 2;
constexpr double comfortableCell = 4.5;  // below it fewer matrices stand beside each other
constexpr double cellOfNumber = 12;      // from here on a cell has room for its number
constexpr double tallestOfNumbers = 430;
constexpr double tallestOfAll = 1700;
constexpr double titleRoom = 13;    // above a matrix
constexpr double belowMatrix = 26;  // heads and what they are
constexpr double rowGap = 10;
constexpr double barGap = 5;
constexpr double barWidth = 7;
constexpr double barRoom = barGap + barWidth + 30;  // right of a matrix
constexpr double shortestBar = 30;

/// A number of the table that is drawn.
struct Matrix {
  const char* key;
  const char* title;
};

constexpr Matrix matrices[] = {{"entropy", "entropy, nats"},
                               {"sink_weight", "weight on token 0, %"},
                               {"self_weight", "weight on itself, %"},
                               {"distance", "distance, tokens"},
                               {"lost", "lost, %"},
                               {"kv_fraction", "KV fraction, %"},
                               {"global_share", "Global, %"},
                               {"local_share", "Local, %"},
                               {"sliding_share", "Sliding, %"},
                               {"mean_local_life", "life of Locals, tokens"}};

bool isOfQueryHeads(const FigureTable& table) { return table.column_at("head") < table.columns.size(); }

std::int64_t keyAt(const FigureTable& table, std::size_t row, std::size_t column) {
  const double* const number = table.at(row, column).number();
  return number != nullptr ? static_cast<std::int64_t>(*number) : 0;
}

/// In the unit of the matrix' title.
std::optional<double> shownAt(const FigureTable& table, std::size_t row, std::size_t column) {
  const double* const number = table.at(row, column).number();
  if (number == nullptr || !std::isfinite(*number)) return std::nullopt;
  return table.columns[column].unit == TableUnit::share ? 100 * *number : *number;
}

bool hasNumbers(const FigureTable& table, std::size_t column) {
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (shownAt(table, row, column)) return true;
  }
  return false;
}

std::vector<const Matrix*> drawnMatrices(const FigureTable& table) {
  std::vector<const Matrix*> drawn;
  for (const Matrix& matrix : matrices) {
    const std::size_t column = table.column_at(matrix.key);
    if (column < table.columns.size() && hasNumbers(table, column)) drawn.push_back(&matrix);
  }
  return drawn;
}

std::vector<std::int64_t> layersOf(const FigureTable& table) {
  std::set<std::int64_t> layers;
  for (std::size_t row = 0; row < table.rows(); ++row) layers.insert(keyAt(table, row, 0));
  return {layers.begin(), layers.end()};
}

std::size_t headColumn(const FigureTable& table) { return table.column_at(isOfQueryHeads(table) ? "head" : "kv_head"); }

std::int64_t headsOf(const FigureTable& table) {
  std::int64_t heads = 0;
  for (std::size_t row = 0; row < table.rows(); ++row)
    heads = std::max(heads, 1 + keyAt(table, row, headColumn(table)));
  return heads;
}

ScaleRange rangeOf(const FigureTable& table, std::size_t column) {
  double high = 0;
  for (std::size_t row = 0; row < table.rows(); ++row) high = std::max(high, shownAt(table, row, column).value_or(0));
  return {0, high > 0 ? high : 1, ScaleKind::linear};
}

/// What a matrix' cells show, [layers, heads]; NaN where there is nothing to say.
std::vector<double> cellsOf(const FigureTable& table, std::size_t column, const std::vector<std::int64_t>& layers,
                            std::int64_t heads) {
  std::vector<double> cells(layers.size() * static_cast<std::size_t>(heads), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto layer = std::lower_bound(layers.begin(), layers.end(), keyAt(table, row, 0)) - layers.begin();
    const std::int64_t cell = layer * heads + keyAt(table, row, headColumn(table));
    if (const auto shown = shownAt(table, row, column)) cells[static_cast<std::size_t>(cell)] = *shown;
  }
  return cells;
}

/// Four digits are wider than a cell.
QString numberText(double value, double largest) {
  if (value < 999.5) return QString::number(value, 'f', largest < 10 ? 1 : 0);
  return QString::number(value / 1000, 'f', value < 9950 ? 1 : 0) + QLatin1Char('k');
}

void drawNumbers(QPainter& painter, const QRectF& matrix, const QImage& image, const std::vector<double>& cells,
                 double largest) {
  const QSizeF cell(matrix.width() / image.width(), matrix.height() / image.height());
  std::size_t at = 0;
  for (int row = 0; row < image.height(); ++row) {
    for (int column = 0; column < image.width(); ++column, ++at) {
      if (std::isnan(cells[at])) continue;
      const QRgb ink = inkOn(image.pixel(column, row));
      const QPointF centre(matrix.left() + (column + 0.5) * cell.width(), matrix.top() + (row + 0.5) * cell.height());
      drawText(painter, centre, numberText(cells[at], largest), figureFont(cell.width() < 15 ? 5 : 6), ink, 0, 0);
    }
  }
}

/// How many matrices stand beside each other, how large their cells are, and what each takes with its bar and title.
struct Grid {
  std::int64_t across = 1;
  double cell = smallestCell;
  double block = 0;
};

/// The most beside each other whose cells have room for their numbers, where that makes no tall figure; else the most
/// whose cells can be told apart; where one below the other would be taller than a poster, two.
Grid gridFor(double room, double between, double title, std::int64_t count, std::int64_t heads, std::int64_t layers) {
  const auto gridOf = [&](std::int64_t across) {
    const double block = (room - static_cast<double>(across - 1) * between) / static_cast<double>(across);
    const double cell = std::clamp((block - barRoom) / static_cast<double>(heads), smallestCell, largestCell);
    return Grid{across, cell, std::max(title, cell * static_cast<double>(heads) + barRoom)};
  };
  const auto heightOf = [&](const Grid& grid) {
    const auto rows = static_cast<double>((count + grid.across - 1) / grid.across);
    return rows * (grid.cell * static_cast<double>(layers) + titleRoom + belowMatrix + rowGap);
  };
  const auto fits = [&](const Grid& grid, double cell) {
    const double needed = static_cast<double>(grid.across) * (grid.block + between) - between;
    return grid.cell >= cell && needed <= room + 1e-6;
  };
  for (std::int64_t across = count; across > 0; --across) {
    const Grid grid = gridOf(across);
    if (fits(grid, cellOfNumber) && heightOf(grid) <= tallestOfNumbers) return grid;
  }
  for (std::int64_t across = count; across > 1; --across) {
    const Grid grid = gridOf(across);
    if (fits(grid, comfortableCell)) return grid;
  }
  const Grid one = gridOf(1);
  const Grid two = gridOf(2);
  return heightOf(one) > tallestOfAll && fits(two, smallestCell) ? two : one;
}

}  // namespace

FigureLayout layOutHeadMatrices(const FigureTable& table, const FigureOptions& options, double pixelsPerPoint) {
  const std::vector<std::int64_t> layers = layersOf(table);
  const std::int64_t heads = headsOf(table);
  const auto count = static_cast<std::int64_t>(drawnMatrices(table).size());
  AxisLabels down;
  AxisLabels across;
  for (const std::int64_t layer : layers)
    down.longest = std::max(down.longest, textWidth(figureFont(down.fontSize), QString::number(layer)));
  const double left = leftOfPlot(down, pixelsPerPoint);
  const double between = down.longest + 10;
  const double room = plotWidth(options, page::textWidth, left, page::margin);
  double title = 0;
  for (const Matrix* const matrix : drawnMatrices(table))
    title = std::max(title, textWidth(figureFont(8), QString::fromUtf8(matrix->title)));
  Grid grid = gridFor(room, between, title, count, heads, std::ssize(layers));
  // As many in each row: no last one stands alone.
  const std::int64_t rows = (count + grid.across - 1) / grid.across;
  grid.across = (count + rows - 1) / rows;
  grid.cell = wholePixels(grid.cell, pixelsPerPoint);
  const QSizeF matrix(grid.cell * static_cast<double>(heads), grid.cell * static_cast<double>(layers.size()));
  const auto labels = [&](AxisLabels& axis, std::int64_t cells, double labelRoom, const auto& text) {
    const int most = std::max(1, static_cast<int>(grid.cell * static_cast<double>(cells) / labelRoom));
    for (const std::int64_t tick : positionTicks(0, cells, most))
      axis.labels.push_back({static_cast<double>(tick) + 0.5, QString::number(text(tick))});
  };
  labels(down, static_cast<std::int64_t>(layers.size()), 8,
         [&](std::int64_t row) { return layers[static_cast<std::size_t>(row)]; });
  labels(across, heads, 12, [](std::int64_t head) { return head; });
  // The bar may stand beside what is written below.
  const double height = std::max(matrix.height(), shortestBar - belowMatrix + 6);
  const double pitch = titleRoom + height + belowMatrix + rowGap;
  std::vector<QRectF> places;
  QSizeF all;
  for (std::int64_t at = 0; at < count; ++at) {
    const QPointF corner(static_cast<double>(at % grid.across) * (grid.block + between),
                         titleRoom + static_cast<double>(at / grid.across) * pitch);
    places.emplace_back(corner, matrix);
    all = all.expandedTo(QSizeF(corner.x() + grid.block, corner.y() + height));
  }
  FigureLayout layout = aroundPlot(all, std::move(across), std::move(down), false, pixelsPerPoint);
  layout.cell = QSizeF(grid.cell, grid.cell);
  layout.matrices = std::move(places);
  return layout;
}

void paintHeadMatrices(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                       const FigureLayout& layout) {
  const FigureInk ink = inkOf(options.theme);
  const std::vector<std::int64_t> layers = layersOf(table);
  const std::int64_t heads = headsOf(table);
  const auto drawn = drawnMatrices(table);
  for (std::size_t at = 0; at < drawn.size(); ++at) {
    const std::size_t column = table.column_at(drawn[at]->key);
    const ScaleRange range = rangeOf(table, column);
    const std::vector<double> cells = cellsOf(table, column, layers, heads);
    QImage image(static_cast<int>(heads), static_cast<int>(layers.size()), QImage::Format_RGB32);
    for (std::size_t cell = 0; cell < cells.size(); ++cell) {
      const Rgb colour = std::isnan(cells[cell]) ? masked_colour(options.theme)
                                                 : colour_at(options.colours, place(cells[cell], range));
      image.setPixel(static_cast<int>(cell % static_cast<std::size_t>(heads)),
                     static_cast<int>(cell / static_cast<std::size_t>(heads)), toQRgb(colour));
    }
    FigureLayout own = layout;
    own.plot = layout.matrices[at].translated(layout.plot.topLeft());
    drawRaster(painter, own.plot, image);
    if (layout.cell.width() >= cellOfNumber) drawNumbers(painter, own.plot, image, cells, range.high);
    drawAxes(painter, ink, own);
    drawAxisTitles(painter, ink, own, isOfQueryHeads(table) ? QStringLiteral("query head") : QStringLiteral("KV head"),
                   own.plot.left() > layout.plot.left() ? QString() : QStringLiteral("layer"));
    drawText(painter, {own.plot.left(), own.plot.top() - 3}, QString::fromUtf8(drawn[at]->title), figureFont(8),
             ink.text, -1, 1);
    const QRectF bar(own.plot.right() + barGap, own.plot.top(), barWidth,
                     std::clamp(own.plot.height(), shortestBar, page::longestBar));
    drawColourRamp(painter, options.colours, range, {}, ink, bar);
  }
}

std::vector<LegendEntry> headMatricesLegend(const FigureTable& table, const FigureOptions& options) {
  std::vector<LegendEntry> entries;
  const auto layers = layersOf(table);
  bool hasGaps = false;
  for (const Matrix* const matrix : drawnMatrices(table)) {
    const auto cells = cellsOf(table, table.column_at(matrix->key), layers, headsOf(table));
    hasGaps = hasGaps || std::ranges::any_of(cells, [](double cell) { return std::isnan(cell); });
  }
  if (hasGaps) {
    entries.push_back(
        swatchEntry(toQRgb(masked_colour(options.theme)), {},
                    isOfQueryHeads(table) ? QStringLiteral("not recorded") : QStringLiteral("no Local in this head"),
                    inkOf(options.theme)));
  }
  if (!isOfQueryHeads(table)) {
    entries.push_back(
        {0,
         {},
         QStringLiteral("KV fraction: of what full attention holds after the last token; roles: of all tokens"),
         true});
    const std::size_t cut = table.column_at("local_life_is_cut");
    const auto isCut = [&](std::size_t row) { return shownAt(table, row, cut).value_or(0) > 0; };
    for (std::size_t row = 0; cut < table.columns.size() && row < table.rows(); ++row) {
      if (!isCut(row)) continue;
      entries.push_back(
          {0, {}, QStringLiteral("a Local that is still held counts with its age: its life is at least that"), true});
      break;
    }
    return entries;
  }
  double most = 0;
  const std::size_t queries = table.column_at("queries");
  for (std::size_t row = 0; row < table.rows(); ++row) most = std::max(most, shownAt(table, row, queries).value_or(0));
  entries.push_back({0, {}, QStringLiteral("means over %1 queries").arg(static_cast<qlonglong>(most)), true});
  return entries;
}

Metadata headMatricesMetadata(const FigureTable& table) {
  Metadata all;
  for (const Matrix* const matrix : drawnMatrices(table)) {
    const ScaleRange range = rangeOf(table, table.column_at(matrix->key));
    all[std::string("range_") + matrix->key] = range_text(FixedRange{range.low, range.high});
  }
  return all;
}

Expected<void> checkHeadMatrices(const FigureTable& table) {
  if (drawnMatrices(table).empty()) return fail(ErrorCode::bad_range, "there is nothing to draw");
  constexpr std::int64_t mostHeads = 1024;
  const std::vector<std::int64_t> layers = layersOf(table);
  if (layers.front() < 0 || headsOf(table) > mostHeads || std::ssize(layers) > mostHeads)
    return fail(ErrorCode::bad_range, "so many layers or heads are too large to draw", "write csv, json or npy");
  return {};
}

}  // namespace natscope::ui
