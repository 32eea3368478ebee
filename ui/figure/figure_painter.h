// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>

#include "ui/figure/figure_layout.h"
#include "ui/figure/map_raster.h"

namespace natscope::ui {

/// Draws a laid-out figure in points, on whatever the painter paints on. `raster` is null for a curve.
void paintFigure(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout,
                 const MapRaster& raster);

/// The figure's own, or what is shown and what was set by hand.
[[nodiscard]] QString shownTitle(const FigureData& figure, const FigureOptions& options);

/// Text with its anchor at a point: -1 left or top, 0 centred, 1 right or bottom of it.
void drawText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAcross,
              int alignDown);
void drawTurnedText(QPainter& painter, QPointF at, const QString& text, const QFont& font, QRgb colour, int alignAlong);

/// A coloured square with its letter and words; returns where the next one begins.
double drawSwatch(QPainter& painter, QPointF at, QRgb colour, const QString& letter, const QString& words,
                  const FigureInk& ink);
/// The colours of weights and what the ends and steps between them stand for.
void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar);
/// What stands round the maps of an overview, once their raster is drawn.
void paintOverview(QPainter& painter, const HeadOverview& maps, const FigureOptions& options, const FigureInk& ink,
                   const FigureLayout& layout);

/// The tokens of a text and the legend below them.
void paintText(QPainter& painter, const FigureData& figure, const ColouredText& text, Theme theme,
               const FigureLayout& layout);

/// The KV curve's axes, lines and legend.
void paintCurve(QPainter& painter, const FigureData& figure, const FigureInk& ink, const FigureLayout& layout);

}  // namespace natscope::ui
