// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "ui/models/selection.h"
#include "ui/models/sequence_model.h"
#include "ui/views/maps/map_style.h"
#include "ui/views/maps/map_transform.h"

namespace natscope::ui {

/// Space round the map, logical pixels.
inline constexpr double mapLeft = 64;
inline constexpr double mapTop = 50;
/// In a low view the map takes the room that token texts would have above it: keys then have numbers there.
inline constexpr double mapTopLow = 22;
inline constexpr double mapRight = 112;
inline constexpr double mapBottom = 26;

/// Token or position ticks along the left and upper edge; the selected key and query stand out.
void drawMapTicks(QPainter& painter, const MapTransform& transform, const SequenceModel& sequence,
                  const Selection& selection);

/// Lines through the cell under the cursor and through what is pinned.
void drawCrosshair(QPainter& painter, const MapTransform& transform, const Selection& selection);

/// Colour bar, then what masked, hidden and future cells look like. `side`: of the square of weights that each cell
/// stands for which the range was counted over; where it is more than one weight, that is said where there is room.
void drawMapLegend(QPainter& painter, const QRectF& area, const MapStyle& style, const ScaleRange& range,
                   std::int64_t side = 1);

/// The look of masked cells.
[[nodiscard]] QBrush maskedBrush(Theme theme);

}  // namespace natscope::ui
