// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/models/tile_source.h"
#include "ui/views/maps/map_transform.h"
#include "ui/views/maps/pointer.h"
#include "ui/views/maps/tile_images.h"

namespace natscope::ui {

/// One head's attention: queries down, keys across, drawn from the visible tiles at screen resolution.
///
/// Wheel: zoom at the cursor. Drag: pan. Double click: the whole map. Hover: crosshair, and the cell in words below.
/// Click: pins key and query. Masked cells are hatched, cells above the diagonal are empty, a weight of zero has the
/// colour of zero: three things, three looks. Beside the map: minimap (click or drag to go there) and legend.
/// Arrows pan; with Shift they move what is pinned. A frame costs the same whatever T is. In a low view cells are up to
/// twice as wide as they are high.
class AttentionMapView : public QWidget {
  Q_OBJECT

 public:
  AttentionMapView(TileSource& tiles, SequenceModel& sequence, Selection& selection, QWidget* parent = nullptr);

  [[nodiscard]] const MapStyle& mapStyle() const { return style_; }
  void setMapStyle(const MapStyle& style);
  /// The colours' range: of the whole map, from the tile that covers it; 0 … 1 until it has come. Or of what is in
  /// view, once that is drawn and stands still.
  [[nodiscard]] const ScaleRange& range() const { return range_; }
  [[nodiscard]] bool hasRange() const { return isRangeOfThis_; }
  void setFitsView(bool fits);
  /// Over which cells it was counted, in words.
  [[nodiscard]] QString rangeWords() const;
  [[nodiscard]] MapTransform& transform() { return transform_; }
  /// Whether every tile in view is drawn at the resolution of the screen.
  [[nodiscard]] bool isSharp() const { return isSharp_; }

  [[nodiscard]] QSize sizeHint() const override { return {640, 560}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {300, 120}; }

  void showWhole();
  /// Brings a key's column into sight; the queries that are shown stay, unless all of them come before the key.
  void showKey(natscope::TokenPos key);
  /// Zooms about the middle of the view.
  void zoomBy(double factor);

 Q_SIGNALS:
  void firstPicture();  ///< once a sequence: all of what is in view has been drawn

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  [[nodiscard]] TileKey keyOf(int zoom, std::int64_t row, std::int64_t column) const;
  [[nodiscard]] std::shared_ptr<const AttentionTile> overview() const;
  [[nodiscard]] std::int64_t rangeSide() const;
  void updateTokens();
  void updateRange();
  /// Makes the range that of what is in view, at the resolution of the screen.
  void fitToView();
  [[nodiscard]] MapWindow inView() const;
  void place();
  void drawMap(QPainter& painter);
  void drawTile(QPainter& painter, int zoom, std::int64_t row, std::int64_t column);
  bool drawCoarser(QPainter& painter, const QRectF& target, int zoom, std::int64_t row, std::int64_t column);
  void drawHatching(QPainter& painter, const QRectF& area);
  void drawWhyBlank(QPainter& painter);
  void drawMarks(QPainter& painter);
  void drawMinimap(QPainter& painter);
  void drawReadout(QPainter& painter);
  void goToMinimap(QPointF at);
  /// The pinned cell goes so many cells on, and into sight; where none is pinned, the middle of what is shown is.
  void movePin(int queries, int keys);
  /// What lies under the cursor is what the readout names.
  void hoverAt(QPointF at);
  [[nodiscard]] QString describeCell(const MapCell& cell) const;

  TileSource& tiles_;
  SequenceModel& sequence_;
  Selection& selection_;
  MapTransform transform_;
  MapStyle style_;
  ScaleRange range_;
  QTimer calm_;                 // runs out when the range was held steady and nothing more came
  bool isRangeOfThis_ = false;  // of this sequence, head and style: only such a range is held steady while it grows
  bool fitsView_ = false;
  std::optional<MapWindow> fittedTo_;  // what the range is of; none: of the whole map
  std::int64_t fittedSide_ = 1;        // of the cells that were counted for it
  MapWindow drawn_;                    // in the last frame
  QTimer still_;                       // runs out when what is in view has not moved for a while
  TileImages images_;
  QImage hatching_;  // as large as the widget
  Theme hatchingTheme_ = Theme::light;
  QRectF minimap_;
  QRectF legend_;
  Press press_;
  bool isOnMinimap_ = false;  // where the press began
  bool isSharp_ = false;
  bool hasBlank_ = false;  // a part of the map without any picture, in the last frame
  bool hadFirstPicture_ = false;
};

}  // namespace natscope::ui
