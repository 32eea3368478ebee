// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRgb>
#include <array>
#include <cstdint>
#include <vector>

#include "core/explore/attention_tile.h"
#include "core/export/colour_map.h"
#include "core/export/scale.h"

namespace natscope::ui {

/// What a coarse cell shows of the weights that it stands for.
enum class CellValue : std::uint8_t { maximum, mean };

/// How weights become colours.
struct MapStyle {
  ColourMap colours = ColourMap::viridis;
  ScaleOptions scale{.kind = ScaleKind::log, .clip_percentile = 99.5};
  CellValue value = CellValue::maximum;
  Theme theme = Theme::light;

  friend bool operator==(const MapStyle&, const MapStyle&) = default;
};

/// Range of colours for a whole map, from the one tile that covers it: it does not change while one pans and zooms.
[[nodiscard]] ScaleRange rangeOfOverview(const AttentionTile& overview, const MapStyle& style);

/// Queries and keys first … end - 1.
struct MapWindow {
  std::int64_t firstQuery = 0;
  std::int64_t endQuery = 0;
  std::int64_t firstKey = 0;
  std::int64_t endKey = 0;

  friend bool operator==(const MapWindow&, const MapWindow&) = default;
};

/// Adds what a tile's visible cells in the window show to `values`, of which range_of makes a range of colours.
void addCells(std::vector<float>& values, const AttentionTile& tile, const MapWindow& window, const MapStyle& style);

/// `fresh`, or `shown` where both hardly differ: small steps while more comes would change every colour each time.
[[nodiscard]] ScaleRange steadied(const ScaleRange& fresh, const ScaleRange& shown);

/// Colours by table: the upper 16 bits of a float are its sign, exponent and 7 bits of fraction, finer than 256 colours
/// need. Reading it is the same for a linear and a logarithmic scale.
class ColourTable {
 public:
  ColourTable() : ColourTable(MapStyle{}, ScaleRange{}) {}
  ColourTable(const MapStyle& style, const ScaleRange& range);

  [[nodiscard]] QRgb at(float weight) const;

 private:
  std::vector<QRgb> colours_;
};

}  // namespace natscope::ui
