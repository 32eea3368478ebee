// SPDX-License-Identifier: GPL-3.0-or-later
/// What stands below figures, and what their parts are called.
#pragma once

#include <QString>
#include <string>
#include <vector>

#include "core/explore/run_figures.h"
#include "ui/figure/figure_layout.h"

namespace natscope::ui {

/// Of the figure's run (0) or one beside it: what it is called, or its policy and what was set by hand.
[[nodiscard]] QString shownRunName(const FigureData& figure, std::size_t run, const FigureOptions& options);

/// What a figure's legend says: its entries, once the plot is laid out.
[[nodiscard]] std::vector<LegendEntry> legendOf(const FigureData& figure, const FigureOptions& options,
                                                const FigureLayout& layout);

/// From line to line.
[[nodiscard]] double legendPitch(const FigureData& figure);

/// "+" for the figure's own run alone, "−" for the compared one alone: not by colour only.
[[nodiscard]] QString heldSign(HeldBy by);
/// What pale stands for under a method without roles.
[[nodiscard]] QString droppedWords(const std::string& policy);

}  // namespace natscope::ui
