// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/export/figure_data.h"
#include "core/export/position_range.h"
#include "core/session/provenance.h"

/// Figures of one run beside another, token by token.
namespace natscope {

/// Of two runs, which differ in what `compare` is for: a policy, W, roles.
struct RunOf {
  const SequenceRecord& record;
  const Provenance& provenance;
};
/// How many tokens both read the same from the beginning. Errors: bad_range (other layers or KV heads, no token in
/// common).
[[nodiscard]] Expected<std::int64_t> tokens_in_common(const SequenceRecord& run, const SequenceRecord& other);
/// The text between two positions by its tokens' losses, `other` null, or by how they differ from another run's as far
/// as both read the same. Errors: bad_position; bad_trace (a run does not hold its losses), bad_range (the other is of
/// another text).
[[nodiscard]] Expected<FigureData> loss_figure(const RunOf& run, const RunOf* other, PositionRange range);
/// Which of two caches holds what after the last token that both have. Errors: bad_range (other layers or KV heads, no
/// token in common).
[[nodiscard]] Expected<FigureData> held_figure(const RunOf& run, const RunOf& other);

}  // namespace natscope
