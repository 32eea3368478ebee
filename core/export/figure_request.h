// SPDX-License-Identifier: GPL-3.0-or-later
/// Which figure is wanted of a run, and the figure of it: one way for the command line and the window.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/expected.h"
#include "core/export/compared_runs.h"
#include "core/session/token_names.h"
#include "core/session/trace_file.h"

namespace natscope {

/// What a text's colours tell.
enum class TextColours : std::uint8_t {
  roles,        ///< in one head
  held_shares,  ///< the share of heads that hold each token
  losses,       ///< with a run beside it, how they differ
};

struct FigureRequest {
  FigureKind kind = FigureKind::attention;
  MapId map;                       ///< attention, mask, a text by roles, a vocabulary of one head
  PositionRange queries;           ///< attention, mask
  PositionRange keys;              ///< attention, mask; of a text its tokens
  std::optional<LayerId> layer{};  ///< overview, statistics: only this one
  TextColours text = TextColours::roles;
  bool is_of_one_head = false;  ///< vocabulary: the map's, instead of all

  /// Whose tokens a text or a vocabulary is of; none: all heads'.
  [[nodiscard]] std::optional<MapId> one_head() const;
};

/// Whether a figure shows what is known of each token of a run, alone or beside another: its loss, which cache holds
/// it.
[[nodiscard]] bool is_by_token(FigureKind kind, TextColours text, bool has_other);

/// Of a run's record, which knows everything but attention weights: all kinds but attention, overview and statistics.
/// `heads`: query heads of a layer. `other`, or null: a run beside it, for kv, roles (which cache holds what) and a
/// text of losses (how they differ). Errors: those of the kind's figure (figure_data.h); internal (a kind of
/// weights).
[[nodiscard]] Expected<FigureData> figure_of_run(const FigureRequest& request, const RunOf& run, std::int32_t heads,
                                                 const RunOf* other, const TokenNames& name_of);

/// Of a trace alone, all kinds: attention, overview and statistics (`other`, or null: the run beside it, whose drops
/// say what is lost) of the maps that it holds, a mask of any head that its roles determine. Where the trace does not
/// hold how its tokens read, those of a text or a vocabulary read as their ids. Errors: bad_layer, bad_head,
/// bad_position; bad_trace (not in the trace; what is held, and H2O's trace does not say it: knows_what_is_held); those
/// of session_of, check_map_size and tokens_in_common.
[[nodiscard]] Expected<FigureData> figure_of_trace(const FigureRequest& request, const TraceFile& trace,
                                                   const RunOf* other = nullptr);

}  // namespace natscope
