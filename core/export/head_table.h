// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>

#include "core/explore/head_summary.h"
#include "core/export/figure_table.h"

namespace natscope {

/// The table of heads: a row a (layer, KV head), layer by layer.
/// layer, kv_head, global_share, local_share, sliding_share, entries, kv_fraction, mean_local_life, locals_held,
/// local_life_is_cut; nothing where there is nothing to say: roles under policies without them, which measure in place
/// of them, the life of Locals where there are none.
///   policy  as parse_policy takes it
[[nodiscard]] FigureTable head_table(std::span<const HeadSummary> heads, const std::string& policy);

}  // namespace natscope
