// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/attention_tile.h"

/// The maps of many heads as small multiples: of each the one tile that covers it whole.
namespace natscope {

struct FigureData;
struct Heatmap;
struct ScaleOptions;

/// Rows are layers, columns query heads. Every map has side × side cells; a cell is the largest of the 2^zoom × 2^zoom
/// weights that it stands for.
struct HeadOverview {
  std::vector<LayerId> layers;  ///< of the rows, from top to bottom
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int64_t tokens = 0;            ///< T
  int zoom = 0;                       ///< overview_zoom(T)
  std::int32_t side = 0;              ///< T / 2^zoom, rounded up: at most 256
  std::vector<float> largest;         ///< [layers, heads, side, side]; masked cells exactly 0. NaN: there is no map
  std::vector<std::uint8_t> visible;  ///< [layers, heads, side, side] 1 where a query sees a key
  std::vector<std::uint8_t> has_map;  ///< [layers, heads] 0: a recording does not hold it
  std::vector<std::optional<AttentionSummary>> summaries{};  ///< [layers, heads] of those that have a map

  [[nodiscard]] std::size_t cells() const { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side); }
  [[nodiscard]] std::size_t index(std::size_t row, HeadId head) const {
    return row * static_cast<std::size_t>(heads) + static_cast<std::size_t>(head.value);
  }
};

/// The rows of an overview of one layer, or of all. Errors: bad_layer.
[[nodiscard]] Expected<std::vector<LayerId>> overview_layers(std::optional<LayerId> layer, std::int32_t layers);

/// Without any map yet. Errors: bad_range (no layer, head or token; more cells than one file should have).
[[nodiscard]] Expected<HeadOverview> empty_overview(std::vector<LayerId> layers, std::int32_t heads,
                                                    std::int32_t kv_heads, std::int64_t tokens);

/// The tile that covers a head's map, for whoever computes it.
[[nodiscard]] TileKey overview_tile(LayerId layer, HeadId head, std::int64_t tokens);

/// Takes a head's map in. Errors: bad_range (a tile of another text or zoom, a head that has no place here).
[[nodiscard]] Expected<void> put(HeadOverview& overview, const AttentionTile& tile);

/// All maps from whoever computes tiles, layer after layer. Errors: as empty_overview, put and `tile`.
[[nodiscard]] Expected<HeadOverview> computed_overview(
    std::vector<LayerId> layers, std::int32_t heads, std::int32_t kv_heads, std::int64_t tokens,
    const std::function<Expected<AttentionTile>(const TileKey& key)>& tile);

/// `figure` with these maps: its tokens and provenance, which then names the maps.
[[nodiscard]] FigureData overview_figure(HeadOverview overview, FigureData figure);

/// The first column of cells masked where the sink is hidden: what data files hold, too. There it stands for the first
/// 2^zoom tokens, as it does in the window's coarse pictures.
[[nodiscard]] HeadOverview prepared(HeadOverview overview, const ScaleOptions& options);

/// A map on rows × columns pixels, no more than it has cells (largest_cells); its positions are pixels.
[[nodiscard]] Heatmap put_together(const Heatmap& map, std::int64_t rows, std::int64_t columns);

/// One head's map with at most `pixels` cells a side (largest_cells); its positions are cells.
[[nodiscard]] Heatmap thumbnail(const HeadOverview& overview, std::size_t row, HeadId head, std::int32_t pixels);

/// An axis of `cells` cells on fewer pixels: those that a pixel touches.
struct PixelCells {
  std::int64_t cells = 0;
  std::int64_t pixels = 0;  ///< <= cells

  [[nodiscard]] std::int64_t first(std::int64_t pixel) const { return pixel * cells / pixels; }
  [[nodiscard]] std::int64_t end(std::int64_t pixel) const { return ((pixel + 1) * cells + pixels - 1) / pixels; }
};

/// A map [rows.cells, columns.cells] on its pixels: each gets the largest value of all cells that it touches, so that
/// no line is lost, however thin. What counts for less must compare less: masked cells as -1, or whatever lies below
/// every visible one.
template <class T>
[[nodiscard]] std::vector<T> largest_cells(std::span<const T> cells, PixelCells rows, PixelCells columns) {
  if (rows.pixels >= rows.cells && columns.pixels >= columns.cells) return {cells.begin(), cells.end()};
  std::vector<T> result;
  result.reserve(static_cast<std::size_t>(rows.pixels * columns.pixels));
  std::vector<T> row(static_cast<std::size_t>(columns.cells));
  for (std::int64_t y = 0; y < rows.pixels; ++y) {
    const auto at = [&](std::int64_t cell_row) {
      return cells.begin() + static_cast<std::ptrdiff_t>(cell_row * columns.cells);
    };
    std::copy_n(at(rows.first(y)), columns.cells, row.begin());
    for (std::int64_t other = rows.first(y) + 1; other < rows.end(y); ++other) {
      std::transform(row.begin(), row.end(), at(other), row.begin(), [](T a, T b) { return std::max(a, b); });
    }
    for (std::int64_t x = 0; x < columns.pixels; ++x)
      result.push_back(*std::max_element(row.begin() + columns.first(x), row.begin() + columns.end(x)));
  }
  return result;
}
/// A square map of side × side cells on pixels × pixels; as it is where it has no more.
template <class T>
[[nodiscard]] std::vector<T> largest_cells(std::span<const T> cells, std::int32_t side, std::int32_t pixels) {
  const PixelCells axis{side, std::min(side, pixels)};
  return largest_cells(cells, axis, axis);
}

}  // namespace natscope
