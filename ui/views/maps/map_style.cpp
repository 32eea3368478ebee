// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/map_style.h"

#include <QColor>
#include <bit>
#include <cmath>

namespace natscope::ui {
namespace {

constexpr std::size_t positiveCodes = 1U << 15U;

QRgb toQRgb(Rgb colour) { return qRgb(colour.red, colour.green, colour.blue); }

}  // namespace

ScaleRange rangeOfOverview(const AttentionTile& overview, const MapStyle& style) {
  const std::vector<float>& values = style.value == CellValue::mean ? overview.mean : overview.maximum;
  std::vector<std::uint8_t> counted(values.size());
  const auto columns = static_cast<std::size_t>(overview.columns);
  for (std::size_t cell = 0; cell < counted.size(); ++cell) {
    const bool isSink = columns > 0 && cell % columns == 0 && overview.key.column == 0;
    counted[cell] = overview.visible_share[cell] > 0 && !(style.scale.hide_sink && isSink) ? 1 : 0;
  }
  return range_of(values, counted, style.scale);
}

void addCells(std::vector<float>& values, const AttentionTile& tile, const MapWindow& window, const MapStyle& style) {
  const std::vector<float>& shown = style.value == CellValue::mean ? tile.mean : tile.maximum;
  const std::int64_t side = std::int64_t{1} << tile.key.zoom;
  const auto meets = [side](std::int64_t cell, std::int64_t first, std::int64_t end) {
    return (cell + 1) * side > first && cell * side < end;
  };
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    if (!meets(std::int64_t{tile.key.row} * tile_cells + row, window.firstQuery, window.endQuery)) continue;
    for (std::int64_t column = 0; column < tile.columns; ++column) {
      const std::int64_t key = std::int64_t{tile.key.column} * tile_cells + column;
      const auto cell = static_cast<std::size_t>(row * tile.columns + column);
      const bool isHidden = style.scale.hide_sink && key == 0;
      if (!isHidden && tile.visible_share[cell] > 0 && meets(key, window.firstKey, window.endKey))
        values.push_back(shown[cell]);
    }
  }
}

ScaleRange steadied(const ScaleRange& fresh, const ScaleRange& shown) {
  const bool isClose = fresh.kind == shown.kind && std::abs(fresh.high - shown.high) < 0.05 * shown.high &&
                       std::abs(fresh.low - shown.low) <= 0.2 * shown.low;
  return isClose ? shown : fresh;
}

ColourTable::ColourTable(const MapStyle& style, const ScaleRange& range) : colours_(positiveCodes) {
  for (std::size_t code = 0; code < positiveCodes; ++code) {
    const float weight = std::bit_cast<float>(static_cast<std::uint32_t>(code) << 16U);
    const float level = std::isfinite(weight) ? place(weight, range) : 1.0F;
    colours_[code] = toQRgb(colour_at(style.colours, level));
  }
}

QRgb ColourTable::at(float weight) const {
  const auto code = std::bit_cast<std::uint32_t>(weight) >> 16U;
  return colours_[code < positiveCodes ? code : 0];
}

}  // namespace natscope::ui
