// SPDX-License-Identifier: GPL-3.0-or-later
/// Where maps of cells stand: a head's, and those with a row for each KV head.
#pragma once

#include <cstdint>

#include "ui/figure/figure_layout.h"

namespace natscope::ui {

[[nodiscard]] FigureLayout layOutMap(const Heatmap& map, const FigureData& figure, const FigureOptions& options,
                                     double pixelsPerPoint);
/// Of a map with a row for each KV head and a column for each token: roles, or what two caches hold.
[[nodiscard]] FigureLayout layOutTokenRows(std::int32_t layers, std::int32_t kvHeads, std::int64_t tokens,
                                           const FigureData& figure, const FigureOptions& options,
                                           double pixelsPerPoint);

}  // namespace natscope::ui
