// SPDX-License-Identifier: GPL-3.0-or-later
/// The size of the cache, token by token.
#pragma once

#include <QPainter>
#include <vector>

#include "ui/figure/figure_layout.h"

namespace natscope::ui {

[[nodiscard]] std::vector<LegendEntry> curveLegend(const FigureData& figure, const FigureOptions& options);
/// Points that the widest number beside a cache's curves takes.
[[nodiscard]] double curveLabelsWidth(const FigureData& figure, const FigureOptions& options);

/// The KV curve's axes and lines.
void paintCurve(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout);

}  // namespace natscope::ui
