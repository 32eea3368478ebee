// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/explore/attention_summary.h"
#include "kernels/ids.h"

namespace natscope {

/// Tiles are squares of this many cells a side.
inline constexpr std::int32_t tile_cells = 256;

/// The coarsest zoom that is needed: there one tile covers a whole map of T × T cells.
[[nodiscard]] constexpr int overview_zoom(std::int64_t tokens) {
  int zoom = 0;
  while ((std::int64_t{tile_cells} << zoom) < tokens) ++zoom;
  return zoom;
}

/// The coarsest zoom of any tile: 256 · 2^23 tokens are more than a sequence can have.
inline constexpr std::int32_t largest_zoom = 23;

/// Which tile of which head's map. Row `row` covers queries row · 256 · 2^zoom and on; columns likewise.
struct TileKey {
  LayerId layer;
  HeadId head;
  std::int32_t zoom = 0;
  std::int32_t row = 0;
  std::int32_t column = 0;

  /// Whether some sequence has it; what follows is for such tiles only.
  [[nodiscard]] constexpr bool is_possible() const {
    return zoom >= 0 && zoom <= largest_zoom && row >= 0 && column >= 0;
  }
  [[nodiscard]] constexpr std::int64_t tokens_a_cell() const { return std::int64_t{1} << zoom; }
  [[nodiscard]] constexpr std::int64_t first_query() const { return (std::int64_t{row} * tile_cells) << zoom; }
  [[nodiscard]] constexpr std::int64_t first_key() const { return (std::int64_t{column} * tile_cells) << zoom; }

  friend auto operator<=>(const TileKey&, const TileKey&) = default;
};

/// A tile's cells, row-major, `rows` × `columns` of at most 256: fewer at the sequence's edge.
/// Cell meanings as kernels/attention_tile.h: visible_share 0 = masked or above the diagonal; a weight may be 0 and
/// visible.
struct AttentionTile {
  TileKey key;
  std::int64_t tokens = 0;  ///< T when it was computed: a tile at the growing edge is asked for again
  std::int32_t rows = 0;
  std::int32_t columns = 0;
  std::vector<float> maximum;
  std::vector<float> mean;
  std::vector<float> visible_share;
  /// Of the one tile that covers a whole map: what its head attends to.
  std::optional<AttentionSummary> summary{};
  /// What who asked calls the run that the summary was compared with; 0: with none.
  std::uint64_t compared_run = 0;

  [[nodiscard]] bool is_whole_map() const {
    return key.row == 0 && key.column == 0 && key.zoom == overview_zoom(tokens);
  }
};

}  // namespace natscope
