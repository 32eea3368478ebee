// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>

#include "core/export/figure_table.h"
#include "core/export/head_overview.h"

namespace natscope {

struct FigureData;

/// A query head, and what it attends to as far as that is known.
struct HeadAttention {
  LayerId layer;
  HeadId head;
  KvHeadId kv_head;
  std::optional<AttentionSummary> means;
};

/// What each query head attends to, a row a head: layer, head, kv_head, entropy, attended_keys, sink_weight,
/// self_weight, queries; nothing where it is not known, or a weight was no number.
[[nodiscard]] FigureTable attention_table(std::span<const HeadAttention> heads);
/// Of every head whose map is there, layer by layer.
[[nodiscard]] FigureTable attention_table(const HeadOverview& maps);

/// The table in the place of an overview figure's maps. Errors: internal (it is none).
[[nodiscard]] Expected<FigureData> statistics_figure(FigureData overview);

}  // namespace natscope
