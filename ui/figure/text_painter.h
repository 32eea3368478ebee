// SPDX-License-Identifier: GPL-3.0-or-later
/// A text with its tokens coloured.
#pragma once

#include <QPainter>
#include <vector>

#include "ui/figure/figure_layout.h"

namespace natscope::ui {

[[nodiscard]] FigureLayout layOutText(const FigureData& figure, const FigureOptions& options);

[[nodiscard]] std::vector<LegendEntry> textLegend(const FigureData& figure, const FigureOptions& options);

/// The tokens of a text.
void paintText(QPainter& painter, const FigureData& figure, const FigureOptions& options, const FigureLayout& layout);
/// Where its losses' colours end: the fixed range, or what all runs or the comparison have.
[[nodiscard]] ScaleRange rangeOf(const LossText& text, const ScaleOptions& options);

}  // namespace natscope::ui
