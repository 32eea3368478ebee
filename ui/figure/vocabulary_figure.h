// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>
#include <cstddef>
#include <vector>

#include "ui/figure/figure_layout.h"

namespace natscope::ui {

/// Bars of the tokens that took most of the cache; a cell is a percent wide and a row high.
[[nodiscard]] FigureLayout layOutVocabulary(const FigureTable& table, const FigureOptions& options,
                                            double pixelsPerPoint);
inline constexpr std::size_t mostVocabularyBars = 30;

[[nodiscard]] std::vector<LegendEntry> vocabularyLegend(const FigureTable& table, const FigureOptions& options);

/// The bars of a vocabulary.
void paintVocabulary(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                     const FigureLayout& layout);

}  // namespace natscope::ui
