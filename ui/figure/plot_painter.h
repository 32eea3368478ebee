// SPDX-License-Identifier: GPL-3.0-or-later
/// A plot: its raster, its frame, its axes.
#pragma once

#include <QImage>
#include <QPainter>

#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_layout.h"

namespace natscope::ui {

inline constexpr double hairline = 0.5;
inline constexpr double tickLength = 3;

/// Cells whose colours never mix, on whole pixels where there are some.
void drawRaster(QPainter& painter, const QRectF& plot, const QImage& image);
/// A line round them that covers none: a map's first column, the sink, may be thinner than it.
void drawFrame(QPainter& painter, const FigureInk& ink, const QRectF& plot);

/// Axes round a plot with the layout's labels, and what they are of.
void drawAxes(QPainter& painter, const FigureInk& ink, const FigureLayout& layout);
void drawAxisTitles(QPainter& painter, const FigureInk& ink, const FigureLayout& layout, const QString& across,
                    const QString& down);

}  // namespace natscope::ui
