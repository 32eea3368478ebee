// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPainter>
#include <vector>

#include "core/base/expected.h"
#include "ui/figure/figure_layout.h"

namespace natscope::ui {

/// Matrices of a table of heads, in rows as wide as the page; each has its colour bar beside it.
[[nodiscard]] FigureLayout layOutHeadMatrices(const FigureTable& table, const FigureOptions& options,
                                              double pixelsPerPoint);

/// The numbers of a table of heads.
void paintHeadMatrices(QPainter& painter, const FigureTable& table, const FigureOptions& options,
                       const FigureLayout& layout);
[[nodiscard]] std::vector<LegendEntry> headMatricesLegend(const FigureTable& table, const FigureOptions& options);
/// Where the colours of each number end: range_entropy, …
[[nodiscard]] Metadata headMatricesMetadata(const FigureTable& table);
/// Errors: bad_range (no number is known, more than 1024 layers or heads).
[[nodiscard]] Expected<void> checkHeadMatrices(const FigureTable& table);

}  // namespace natscope::ui
