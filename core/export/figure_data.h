// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "core/explore/sequence_record.h"
#include "core/export/figure_table.h"
#include "core/export/head_overview.h"
#include "core/export/held_map.h"
#include "core/export/loss_text.h"
#include "core/export/position_range.h"
#include "core/session/provenance.h"

/// The numbers behind a figure, before anything is drawn or written.
namespace natscope {

enum class FigureKind : std::uint8_t { attention, mask, roles, kv, heads, overview, text, vocabulary, statistics };
[[nodiscard]] const char* name(FigureKind kind);  ///< "attention", …
[[nodiscard]] std::optional<FigureKind> figure_kind(std::string_view text);

/// One head's map, or a piece of it.
struct Heatmap {
  FigureKind kind = FigureKind::attention;  ///< attention or mask
  LayerId layer;
  HeadId head;
  PositionRange queries;
  PositionRange keys;
  std::vector<float> values;          ///< [queries, keys] weights; masked cells exactly 0. For a mask: 0 or 1
  std::vector<std::uint8_t> visible;  ///< [queries, keys] 1 where the query sees the key
};

struct RoleMap {
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::int64_t length = 0;
  std::vector<Role> roles;              ///< [layers, kv_heads, length]; all global under a policy without roles
  std::vector<std::uint8_t> is_held{};  ///< [layers, kv_heads, length] 1 where it is held after the last token
};

struct KvCurve {
  std::int64_t length = 0;
  std::int32_t layers = 0;
  std::int32_t kv_heads = 0;
  std::vector<std::int32_t> entries;          ///< [length, layers, kv_heads]
  std::vector<std::int64_t> dense_bytes;      ///< [length]; empty where the geometry is not known (a trace)
  std::vector<std::int64_t> live_bytes;       ///< [length]; empty as dense_bytes
  std::vector<std::int64_t> allocated_bytes;  ///< [length]; 0 within a prompt, whose end alone
                                              ///< it is known of; empty where nobody read it from an allocator
};

/// Tokens as running text, each with what became of it until the last one: in one head, or in all.
struct ColouredText {
  std::optional<MapId> head;  ///< absent: all of them
  PositionRange range;
  std::vector<Role> roles;  ///< [range] of the head's KV head; empty without a head, and under a policy without roles
  std::vector<std::uint8_t> is_held;  ///< [range] 1 where the head's KV head holds it; empty without a head
  std::vector<float> held_share;      ///< [range] of all KV heads of all layers, 0 … 1
};

/// Another run beside the figure's own: in a drawn KV curve, a text of losses, a map of what is held, statistics.
struct ComparedRun {
  KvCurve curve;  ///< kv only; the others have its numbers among their own
  Provenance provenance;
};

/// A figure's numbers with their axes and their origin.
struct FigureData {
  FigureKind kind = FigureKind::attention;
  std::variant<Heatmap, RoleMap, KvCurve, FigureTable, HeadOverview, ColouredText, LossText, HeldMap> values;
  std::vector<std::int32_t> tokens;      ///< [T]
  std::vector<std::string> token_texts;  ///< [T] for the axes; empty: positions are shown
  Provenance provenance;
  std::vector<ComparedRun> compared{};  ///< at most most_compared, beside anything but kv one
  std::optional<MapId> head{};          ///< whose tokens a vocabulary counts; absent: all heads'
  Metadata notes{};                     ///< more to say of its origin: how its numbers were prepared
};

inline constexpr std::size_t most_compared = 3;

/// Puts another run's KV curve beside the figure's. Errors: bad_range (one of them is no KV curve, too many).
[[nodiscard]] Expected<void> compare(FigureData& figure, FigureData other);

/// What a file says of its origin: the figure's trace_metadata, of the runs beside it the same under
/// compared_1_policy, …; kind; where they apply layer, head, queries and keys (as parse_range takes them); of an
/// overview what its rows and cells are: layers, cell_tokens, tokens; what numbers mean where they are names: role_key,
/// held_key; of a text of losses their unit; and the notes.
[[nodiscard]] Metadata figure_metadata(const FigureData& figure);

}  // namespace natscope
