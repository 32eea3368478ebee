// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/export/figure_table.h"
#include "core/export/head_overview.h"

namespace natscope {

struct FigureData;

/// What each query head attends to: a row a head whose map is there, layer by layer.
/// layer, head, kv_head, entropy, attended_keys, sink_weight, self_weight, queries; nothing where a weight was no
/// number.
[[nodiscard]] FigureTable attention_table(const HeadOverview& maps);

/// The table in the place of an overview figure's maps. Errors: internal (it is none).
[[nodiscard]] Expected<FigureData> statistics_figure(FigureData overview);

}  // namespace natscope
