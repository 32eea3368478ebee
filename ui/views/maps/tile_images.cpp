// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/tile_images.h"

namespace natscope::ui {
namespace {

constexpr double nanosecondsPerMs = 1e6;

}  // namespace

QImage tilePicture(const AttentionTile& tile, const MapStyle& style, const ColourTable& table, QRgb paper) {
  const TileKey& key = tile.key;
  QImage image(tile.columns, tile.rows, QImage::Format_ARGB32_Premultiplied);
  const std::vector<float>& values = style.value == CellValue::mean ? tile.mean : tile.maximum;
  const std::int64_t firstKey = std::int64_t{key.column} * tile_cells;
  const bool hidesSink = style.scale.hide_sink && key.column == 0;
  std::size_t cell = 0;
  for (int row = 0; row < tile.rows; ++row) {
    auto* const pixels = reinterpret_cast<QRgb*>(image.scanLine(row));
    // In units of cells of this zoom the diagonal is where column = row, whatever the zoom.
    const std::int64_t lastVisible = std::int64_t{key.row} * tile_cells + row - firstKey;
    for (int column = 0; column < tile.columns; ++column, ++cell) {
      const bool isSink = hidesSink && column == 0;
      pixels[column] = column > lastVisible                      ? paper
                       : tile.visible_share[cell] > 0 && !isSink ? table.at(values[cell])
                                                                 : qRgba(0, 0, 0, 0);
    }
  }
  return image;
}

void TileImages::setStyle(const MapStyle& style, const ScaleRange& range, QRgb paper) {
  if (style == style_ && range == range_ && paper == paper_) return;
  style_ = style;
  range_ = range;
  paper_ = paper;
  table_ = ColourTable(style, range);
  clear();
}

void TileImages::clear() { kept_.clear(); }

void TileImages::beginFrame(double budgetMs) {
  budgetMs_ = budgetMs;
  hasPutOff_ = false;
  clock_.start();
}

const QImage* TileImages::image(const TileKey& key, const std::shared_ptr<const AttentionTile>& tile) {
  const Entry* const found = kept_.find(key);
  if (found != nullptr && found->tile == tile) return &found->image;
  if (static_cast<double>(clock_.nsecsElapsed()) / nanosecondsPerMs > budgetMs_) {
    hasPutOff_ = true;
    return found != nullptr ? &found->image : nullptr;
  }
  return &kept_.keep(key, Entry{tile, tilePicture(*tile, style_, table_, paper_)}).image;
}

}  // namespace natscope::ui
