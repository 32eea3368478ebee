// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/export/figure_data.h"
#include "core/export/position_range.h"
#include "core/session/provenance.h"
#include "core/session/token_names.h"

/// The figures of one run, from its record.
namespace natscope {

/// Puts a record's tokens and how they read on the figure's axes.
void add_axis(FigureData& figure, const SequenceRecord& record);
/// Whether a range is within so many tokens. Errors: bad_position.
[[nodiscard]] Expected<void> check_range(PositionRange range, std::int64_t tokens);
/// The most cells that a map in one file may have, 2^28: its arrays are 1.25 GiB.
inline constexpr std::int64_t max_map_cells = std::int64_t{1} << 28U;
/// Errors: bad_range (more cells than that).
[[nodiscard]] Expected<void> check_map_size(PositionRange queries, PositionRange keys);
/// RoleMap::is_held of roles that a policy has (the rules, section 5). `window` is none where no token is sliding.
[[nodiscard]] std::vector<std::uint8_t> held_by_roles(const RoleMap& map, std::optional<std::int64_t> window);
[[nodiscard]] FigureData roles_figure(const SequenceRecord& record, Provenance provenance);
[[nodiscard]] FigureData kv_figure(const SequenceRecord& record, Provenance provenance);
/// Gives tokens that have no text of their own (the one in front, a part of a character) their names on the axes.
void name_silent_tokens(FigureData& figure, const TokenNames& name_of);
/// The table of heads (core/export/head_table.h): a matrix for each number where it is drawn.
[[nodiscard]] FigureData heads_figure(const SequenceRecord& record, Provenance provenance);
/// The table of the vocabulary (core/export/vocabulary_table.h), of one head or of all. Tokens without a
/// text of their own are called as `name_of` says. Errors: bad_layer, bad_head.
[[nodiscard]] Expected<FigureData> vocabulary_figure(const SequenceRecord& record, std::int32_t heads,
                                                     const std::optional<MapId>& head, Provenance provenance,
                                                     const TokenNames& name_of);
/// The mask from the record alone, of any part that is asked for. Errors: bad_layer, bad_head, bad_position, those
/// of check_map_size.
[[nodiscard]] Expected<FigureData> mask_figure(const SequenceRecord& record, std::int32_t heads, const MapId& map,
                                               PositionRange queries, PositionRange keys, Provenance provenance);
/// The text between two positions, by roles or shares. Errors: as mask_figure.
[[nodiscard]] Expected<FigureData> text_figure(const SequenceRecord& record, std::int32_t heads,
                                               const std::optional<MapId>& head, PositionRange range,
                                               Provenance provenance);
/// Of a record's run: the maps of these layers (none: all), from whoever computes tiles. Errors: bad_layer, those of
/// computed_overview.
[[nodiscard]] Expected<FigureData> overview_of_record(
    const SequenceRecord& record, std::int32_t heads, std::optional<LayerId> layer, Provenance provenance,
    const std::function<Expected<AttentionTile>(const TileKey& key)>& tile);

}  // namespace natscope
