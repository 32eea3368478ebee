// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QImage>
#include <memory>

#include "ui/models/latest_used.h"
#include "ui/views/maps/map_style.h"

namespace natscope::ui {

/// A tile as a picture, one pixel a cell, as TileImages says.
[[nodiscard]] QImage tilePicture(const AttentionTile& tile, const MapStyle& style, const ColourTable& table,
                                 QRgb paper);

/// Tiles as pictures, one pixel a cell: visible cells in their colour, masked ones transparent (the view's hatching
/// shows through), those above the diagonal in the paper's colour. Kept while the style and the tile stay the same.
class TileImages {
 public:
  /// A new style or range makes every picture out of date.
  void setStyle(const MapStyle& style, const ScaleRange& range, QRgb paper);
  void clear();

  /// A frame begins: from here on, pictures are made until this much time is spent.
  void beginFrame(double budgetMs);
  /// Whether a picture was put off to the next frame.
  [[nodiscard]] bool hasPutOff() const { return hasPutOff_; }

  /// The tile's picture; null when it would have to be made and the frame's time is spent.
  [[nodiscard]] const QImage* image(const TileKey& key, const std::shared_ptr<const AttentionTile>& tile);

 private:
  /// A picture takes 0.25 MiB; a 4K screen at two pixels a cell shows fewer than 200.
  static constexpr std::size_t keptImages = 240;

  struct Entry {
    std::shared_ptr<const AttentionTile> tile;
    QImage image;
  };

  MapStyle style_;
  ScaleRange range_;
  QRgb paper_ = 0;
  ColourTable table_;
  LatestUsed<TileKey, Entry> kept_{keptImages};
  QElapsedTimer clock_;
  double budgetMs_ = 0;
  bool hasPutOff_ = false;
};

}  // namespace natscope::ui
