// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>

#include "core/export/figure_table.h"
#include "core/export/head_overview.h"
#include "core/session/provenance.h"

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
/// self_weight, queries, distance, and beside another run lost, compared_queries; nothing where it is not known, or a
/// weight was no number.
[[nodiscard]] FigureTable attention_table(std::span<const HeadAttention> heads, bool is_compared = false);
/// Of every head whose map is there, layer by layer.
[[nodiscard]] FigureTable attention_table(const HeadOverview& maps, bool is_compared = false);

/// The table in the place of an overview figure's maps; `other`, or null: where the run comes from that its summaries
/// are compared with. Errors: internal (it is none).
[[nodiscard]] Expected<FigureData> statistics_figure(FigureData overview, const Provenance* other = nullptr);

}  // namespace natscope
