// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "core/base/expected.h"
#include "core/explore/attention_tile.h"
#include "core/session/session_file.h"
#include "core/session/trace_file.h"
#include "core/tokenizer/tokenizer.h"

/// A trace file as the window shows it: a sequence, and tiles of the maps that it holds.
namespace natscope {

/// The trace's run, frame after frame. `kv_entries` must be what its roles and window leave (the rules, section 5): a
/// file that contradicts itself is refused. Under policies without roles they must be what its
/// evicted entries leave; of a trace without those the counts stand as they are, and what was dropped is known for
/// heads with a recorded map only: elsewhere every entry looks held, so ask knows_what_is_held before that is shown.
///
/// Not in a trace, and so left empty: candidates, times, the prompt's text; of earlier versions' probabilities, too.
///   tokenizer  how tokens read where the trace does not say it; without either a token reads as its id, "‹42› "
/// Errors: bad_trace (a count that roles contradict, sliding tokens without a window, a score that is not finite),
/// those of TraceFile::read_map, out_of_memory.
[[nodiscard]] Expected<Session> session_of(const TraceFile& trace, const std::optional<Tokenizer>& tokenizer);

/// Of its cache; head_dim is 0 where the trace does not say it.
[[nodiscard]] CacheGeometry geometry_of(const TraceFile& trace);

/// Whether `kv_entries` is what the roles and the window, or the evicted entries, leave: what session_of() checks, for
/// figures that need no session. Errors: bad_trace (also sliding tokens without a window).
[[nodiscard]] Expected<void> check_counts(const TraceFile& trace);

/// Whether the trace tells of every entry how long it was held: not so of H2O's by versions that did not record it,
/// unless there is a map for every KV head.
[[nodiscard]] bool knows_what_is_held(const TraceFile& trace);
/// The same as an error: without what was dropped every token would look held. Errors: bad_trace.
[[nodiscard]] Expected<void> check_held_is_known(const TraceFile& trace);

/// A tile of a recorded map, cell for cell as kernels/attention_tile.h defines it.
/// `other_last_query`: as TraceStore::tile takes it.
/// Errors: bad_trace (this map is not in the trace), bad_position (outside the map), those of TraceFile::read_map.
[[nodiscard]] Expected<AttentionTile> tile_of(const TraceFile& trace, const TileKey& key,
                                              std::span<const std::int32_t> other_last_query = {});

}  // namespace natscope
