// SPDX-License-Identifier: GPL-3.0-or-later
/// Where the colours of the attention map begin and end: for the whole map, or for what is in view.
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/views/maps/attention_map_view.h"

namespace natscope::ui {

std::shared_ptr<const AttentionTile> AttentionMapView::overview() const {
  // While the sequence grows, the tile that covered it a moment ago may be one zoom finer: better than none.
  for (int zoom = overview_zoom(tiles_.tokens()); zoom >= 0; --zoom) {
    if (auto tile = tiles_.cached(keyOf(zoom, 0, 0))) return tile;
  }
  return nullptr;
}

void AttentionMapView::setFitsView(bool fits) {
  fitsView_ = fits;
  fittedTo_.reset();
  isRangeOfThis_ = false;
  updateRange();
  update();
}

MapWindow AttentionMapView::inView() const {
  return {transform_.firstQuery(), transform_.endQuery(), transform_.firstKey(), transform_.endKey()};
}

void AttentionMapView::fitToView() {
  const MapWindow window = inView();
  if (!fitsView_ || fittedTo_ == window) return;
  const int zoom = std::min(transform_.tileZoom(devicePixelRatioF()), overview_zoom(tiles_.tokens()));
  const std::int64_t side = std::int64_t{tile_cells} << zoom;
  std::vector<float> values;
  for (std::int64_t row = window.firstQuery / side; row * side < window.endQuery; ++row) {
    for (std::int64_t column = window.firstKey / side; column * side < window.endKey && column <= row; ++column) {
      if (const auto tile = tiles_.cached(keyOf(zoom, row, column))) addCells(values, *tile, window, style_);
    }
  }
  if (values.empty()) return;
  fittedTo_ = window;
  fittedSide_ = std::int64_t{1} << zoom;
  range_ = range_of(values, {}, style_.scale);
  updateRange();
  update();
}

std::int64_t AttentionMapView::rangeSide() const {
  if (fittedTo_) return fittedSide_;
  const auto whole = overview();
  return whole ? std::int64_t{1} << whole->key.zoom : 1;
}

/// Over which cells the colours' range was counted.
QString AttentionMapView::rangeWords() const {
  const std::int64_t side = rangeSide();
  const QString clip = QString::number(style_.scale.clip_percentile);
  if (fittedTo_) return tr("The colours end at %1 % of the visible cells in view, and follow it (F).").arg(clip);
  if (side == 1) return tr("The colours end at %1 % of the visible weights of the whole map.").arg(clip);
  const QString cells = style_.value == CellValue::mean ? tr("each the mean of %1 × %1 weights")
                                                        : tr("each the largest of %1 × %1 weights");
  return tr("The colours end at %1 % of the visible cells of the whole map, %2:\nthey stay the same while one zooms "
            "and pans. An exported map counts its weights one by one, so its colours may end elsewhere,\nunless its "
            "colour "
            "range is the one on screen.")
      .arg(clip, cells.arg(side));
}

void AttentionMapView::updateRange() {
  const auto whole = overview();
  if (fittedTo_) {
    isRangeOfThis_ = true;
  } else if (whole) {
    const ScaleRange fresh = rangeOfOverview(*whole, style_);
    range_ = isRangeOfThis_ ? steadied(fresh, range_) : fresh;
    isRangeOfThis_ = true;
    // Held steady while more comes; in the end the same map has the same range, whatever was there before it.
    if (range_ != fresh) calm_.start();
  } else {
    range_.kind = style_.scale.kind;
    if (range_.kind == ScaleKind::log && !(range_.low > 0)) range_.low = range_.high * 1e-4;
  }
  images_.setStyle(style_, range_, colours(style_.theme).panel.rgb());
}

}  // namespace natscope::ui
