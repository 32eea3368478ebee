// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <QRectF>
#include <cstdint>
#include <optional>

namespace natscope::ui {

/// A cell of a T × T map.
struct MapCell {
  std::int64_t query = 0;
  std::int64_t key = 0;

  friend bool operator==(const MapCell&, const MapCell&) = default;
};

/// Which part of a square map of cells a rectangle of the screen shows. Keys run across, queries down.
///
/// Pure geometry in logical pixels. Invariants after every call:
///   - the scale is between that at which the whole map fits and 64 pixels a cell;
///   - the map begins at or before the rectangle's left and top edge;
///   - behind its right or lower edge no more of the rectangle is empty than when the map is whole, or than was empty
///     before the call.
///
/// Cells are squares, or `stretch` times as wide as they are high.
class MapTransform {
 public:
  /// `stretch`: at least 1.
  void setViewport(const QRectF& viewport, double stretch = 1);
  /// T. A map that was shown whole stays whole as it grows; otherwise the view stays where it is.
  void setTokens(std::int64_t tokens);

  [[nodiscard]] const QRectF& viewport() const { return viewport_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] double scale() const { return scale_; }                   ///< pixels a cell, down
  [[nodiscard]] double scaleAcross() const { return scale_ * stretch_; }  ///< pixels a cell, across
  [[nodiscard]] bool isWhole() const { return isWhole_; }

  void showWhole();
  /// The cell point under `at` stays under it.
  void zoomAt(QPointF at, double factor);
  /// Not farther than to the map's end, unless it was there already.
  void pan(QPointF pixels);
  /// The middle of the view goes to this cell; the scale stays.
  void centreOn(const MapCell& cell);

  /// Where a cell's top left corner stands on the screen.
  [[nodiscard]] double xOf(double key) const { return viewport_.left() + (key - origin_.x()) * scaleAcross(); }
  [[nodiscard]] double yOf(double query) const { return viewport_.top() + (query - origin_.y()) * scale_; }
  [[nodiscard]] QRectF rectOf(const MapCell& cell) const;
  [[nodiscard]] std::optional<MapCell> cellAt(QPointF at) const;

  /// First and one past the last cell in view, clamped to the map.
  [[nodiscard]] std::int64_t firstKey() const;
  [[nodiscard]] std::int64_t endKey() const;
  [[nodiscard]] std::int64_t firstQuery() const;
  [[nodiscard]] std::int64_t endQuery() const;

  /// The tile zoom whose cells are at least one device pixel and less than two: frames then cost the same at any T.
  [[nodiscard]] int tileZoom(double devicePixelRatio = 1) const;

 private:
  /// `past`: of the rectangle's width and height, what may be left empty beyond the map's end, in cells.
  void settle(QPointF past);
  [[nodiscard]] QPointF emptyWhenWhole() const;
  [[nodiscard]] QPointF emptyNow() const;
  [[nodiscard]] double wholeScale() const;

  QRectF viewport_;
  std::int64_t tokens_ = 0;
  double scale_ = 1;
  double stretch_ = 1;
  QPointF origin_;  // key, query at the viewport's top left corner
  bool isWhole_ = true;
};

}  // namespace natscope::ui
