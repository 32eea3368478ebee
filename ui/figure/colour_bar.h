// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>
#include <QRectF>

#include "ui/figure/figure.h"
#include "ui/figure/figure_ink.h"

namespace natscope::ui {

/// Colours and what the ends and steps between them stand for.
void drawColourRamp(QPainter& painter, ColourMap colours, const ScaleRange& range, const ScaleOptions& scale,
                    const FigureInk& ink, const QRectF& bar);
/// The same of weights, named.
void drawColourBar(QPainter& painter, const FigureOptions& options, const ScaleRange& range, const FigureInk& ink,
                   const QRectF& bar);

}  // namespace natscope::ui
