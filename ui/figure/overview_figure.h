// SPDX-License-Identifier: GPL-3.0-or-later
/// The maps of all heads beside each other.
#pragma once

#include <QPainter>
#include <vector>

#include "ui/figure/figure_ink.h"
#include "ui/figure/figure_layout.h"

namespace natscope::ui {

[[nodiscard]] FigureLayout layOutOverview(const HeadOverview& maps, const FigureOptions& options,
                                          double pixelsPerPoint);

[[nodiscard]] std::vector<LegendEntry> overviewLegend(const HeadOverview& maps, const FigureOptions& options,
                                                      const FigureLayout& layout);

/// What stands round the maps of an overview, once their raster is drawn.
void paintOverview(QPainter& painter, const HeadOverview& maps, const FigureInk& ink, const FigureLayout& layout);

}  // namespace natscope::ui
