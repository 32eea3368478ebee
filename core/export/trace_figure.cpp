// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <functional>
#include <utility>

#include "core/cache/accounting.h"
#include "core/cache/policy.h"
#include "core/explore/run_figures.h"
#include "core/export/attention_table.h"
#include "core/export/figure_request.h"
#include "core/export/figures.h"
#include "core/export/head_table.h"
#include "core/session/trace_sequence.h"
#include "kernels/token_roles.h"

/// Figures out of a trace file, which holds some maps whole and the roles of all heads.
namespace natscope {
namespace {

/// A figure of this kind without its values, with the trace's tokens on its axes.
FigureData figure_of(const TraceFile& trace, FigureKind kind) {
  FigureData figure{kind, {}, trace.tokens(), trace.token_texts(), trace.provenance()};
  name_silent_tokens(figure, token_names(trace.token_names()));
  return figure;
}

Expected<Heatmap> stored_map(const TraceFile& trace, std::size_t index, Heatmap map) {
  const auto cells = static_cast<std::size_t>(map.queries.size() * map.keys.size());
  map.visible.resize(cells);
  map.values.resize(cells);
  NATSCOPE_CHECK(trace.read_map(index, TokenPos(map.queries.begin), map.queries.size(), TokenPos(map.keys.begin),
                                map.keys.size(), map.values, map.visible));
  if (map.kind == FigureKind::mask) map.values.assign(map.visible.begin(), map.visible.end());
  return map;
}

/// The mask that roles determine (the rules, section 4).
Expected<Heatmap> mask_from_roles(const TraceFile& trace, KvHeadId kv_head, Heatmap map) {
  const auto length = static_cast<std::size_t>(trace.tokens_count());
  const std::vector<Role> all = trace.roles();
  const std::size_t row = static_cast<std::size_t>(map.layer.value) * static_cast<std::size_t>(trace.kv_heads()) +
                          static_cast<std::size_t>(kv_head.value);
  const std::span<const Role> roles(all.data() + row * length, length);
  std::vector<std::int32_t> next_global(length);
  if (!kernels::next_globals(roles, next_global).ok())
    return fail(ErrorCode::internal, "next_globals refused its arrays");
  const auto& window = trace.provenance().window;
  if (!window && std::find(roles.begin(), roles.end(), Role::sliding) != roles.end()) {
    return fail(ErrorCode::bad_trace, "the trace has sliding tokens and no window");
  }
  map.visible.reserve(static_cast<std::size_t>(map.queries.size() * map.keys.size()));
  for (std::int32_t query = map.queries.begin; query < map.queries.end; ++query) {
    for (std::int32_t key = map.keys.begin; key < map.keys.end; ++key) {
      const auto at = static_cast<std::size_t>(key);
      map.visible.push_back(
          visible(roles[at], TokenPos(key), TokenPos(query), next_global[at], window.value_or(0)) ? 1 : 0);
    }
  }
  map.values.assign(map.visible.begin(), map.visible.end());
  return map;
}

Unexpected not_stored(const TraceFile& trace, const MapId& map) {
  const std::string held = maps_text(trace.provenance().maps);
  return fail(
      ErrorCode::bad_trace,
      "the trace does not hold the map " + maps_text({map}) + (held.empty() ? ", it holds none" : ", it holds " + held),
      "trace again with --attention " + maps_text({map}));
}

Expected<Heatmap> heatmap(const TraceFile& trace, const FigureRequest& request) {
  const MapId& id = request.map;
  if (id.layer.value < 0 || id.layer.value >= trace.layers()) {
    return fail(ErrorCode::bad_layer, "the trace has no layer " + std::to_string(id.layer.value) + "; it has " +
                                          std::to_string(trace.layers()));
  }
  const auto& heads = trace.provenance().heads;
  if (id.head.value < 0 || (heads && id.head.value >= *heads)) {
    return fail(ErrorCode::bad_head, "the trace has no head " + std::to_string(id.head.value));
  }
  for (const PositionRange& range : {request.queries, request.keys})
    NATSCOPE_CHECK(check_range(range, trace.tokens_count()));
  NATSCOPE_CHECK(check_map_size(request.queries, request.keys));
  Heatmap map{request.kind, id.layer, id.head, request.queries, request.keys, {}, {}};
  if (const auto index = trace.map_index(id)) return stored_map(trace, *index, std::move(map));
  // Which KV head a head reads must be known; and without roles the mask follows from what was dropped.
  const bool by_roles = has_roles(trace.provenance().policy);
  if (request.kind == FigureKind::mask && !heads)
    return fail(ErrorCode::bad_trace,
                "the trace does not say how many query heads a layer has: no mask but a stored map's",
                "write “heads” into its metadata");
  if (request.kind != FigureKind::mask || !heads || !(by_roles || knows_what_is_held(trace)))
    return not_stored(trace, id);
  if (!by_roles) {
    NATSCOPE_TRY(const Session session, session_of(trace, std::nullopt));
    NATSCOPE_TRY(FigureData mask, mask_figure(session.record, *heads, id, map.queries, map.keys, trace.provenance()));
    return std::get<Heatmap>(std::move(mask.values));
  }
  return mask_from_roles(trace, kv_head_of(id.head, *heads, trace.kv_heads()), std::move(map));
}

Expected<KvCurve> curve_of(const TraceFile& trace) {
  NATSCOPE_CHECK(check_counts(trace));
  KvCurve curve{trace.tokens_count(), trace.layers(), trace.kv_heads(), trace.kv_entries(), {}, {}, {}};
  curve.allocated_bytes = trace.kv_allocated_bytes();
  if (std::ranges::max(curve.allocated_bytes) == 0) curve.allocated_bytes.clear();
  const auto in_prompt = std::min(trace.prompt_tokens().value_or(0), curve.length) - 1;
  if (!curve.allocated_bytes.empty() && in_prompt > 0) std::fill_n(curve.allocated_bytes.begin(), in_prompt, 0);
  const std::int64_t entry_bytes = geometry_of(trace).entry_bytes();
  if (entry_bytes == 0) return curve;
  const std::int64_t heads = std::int64_t{curve.layers} * curve.kv_heads;
  for (std::int64_t step = 0; step < curve.length; ++step) {
    std::int64_t held = 0;
    for (std::int64_t i = 0; i < heads; ++i) held += curve.entries[static_cast<std::size_t>(step * heads + i)];
    curve.live_bytes.push_back(held * entry_bytes);
    curve.dense_bytes.push_back((step + 1) * heads * entry_bytes);
  }
  return curve;
}

Expected<FigureData> held_from_trace(const TraceFile& trace) {
  NATSCOPE_CHECK(check_held_is_known(trace));
  NATSCOPE_TRY(const Session session, session_of(trace, std::nullopt));
  FigureData figure = figure_of(trace, FigureKind::roles);
  figure.values = std::move(roles_figure(session.record, trace.provenance()).values);
  return figure;
}

/// `schedule`: of the run beside it, what a head's weights are compared with.
Expected<FigureData> overview_from_trace(
    const TraceFile& trace, std::optional<LayerId> layer,
    const std::function<std::span<const std::int32_t>(const MapId&, std::int32_t heads)>& schedule = {}) {
  NATSCOPE_TRY(std::vector<LayerId> layers, overview_layers(layer, trace.layers()));
  const std::vector<MapId>& maps = trace.provenance().maps;
  std::int32_t heads = trace.provenance().heads.value_or(trace.kv_heads());
  for (const MapId& map : maps) heads = std::max(heads, map.head.value + 1);
  NATSCOPE_TRY(HeadOverview overview, empty_overview(std::move(layers), heads, trace.kv_heads(), trace.tokens_count()));
  bool has_any = false;
  for (const MapId& map : maps) {
    if (layer && map.layer != *layer) continue;
    NATSCOPE_TRY(const AttentionTile tile, tile_of(trace, overview_tile(map.layer, map.head, overview.tokens),
                                                   schedule ? schedule(map, heads) : std::span<const std::int32_t>()));
    NATSCOPE_CHECK(put(overview, tile));
    has_any = true;
  }
  if (!has_any) {
    return fail(ErrorCode::bad_trace, "the trace holds no attention maps" + std::string(layer ? " of this layer" : ""),
                "trace again with --attention all");
  }
  return overview_figure(std::move(overview), figure_of(trace, FigureKind::overview));
}

Expected<FigureData> statistics_from_trace(const TraceFile& trace, std::optional<LayerId> layer, const RunOf* other) {
  if (other == nullptr) {
    NATSCOPE_TRY(FigureData overview, overview_from_trace(trace, layer));
    return statistics_figure(std::move(overview));
  }
  NATSCOPE_TRY(const Session session, session_of(trace, std::nullopt));
  NATSCOPE_TRY(const std::int64_t common, tokens_in_common(session.record, other->record));
  NATSCOPE_TRY(FigureData overview,
               overview_from_trace(trace, layer, [other, common](const MapId& map, std::int32_t heads) {
                 return schedule_of(other->record, heads, map.layer, map.head, common);
               }));
  return statistics_figure(std::move(overview), &other->provenance);
}

/// What a run's record tells, out of the record that a trace gives.
Expected<FigureData> figure_of_its_record(const FigureRequest& request, const TraceFile& trace) {
  if (!is_by_token(request.kind, request.text, false)) NATSCOPE_CHECK(check_held_is_known(trace));
  NATSCOPE_TRY(const Session session, session_of(trace, std::nullopt));
  return figure_of_run(request, {session.record, trace.provenance()},
                       trace.provenance().heads.value_or(trace.kv_heads()), nullptr, token_names(trace.token_names()));
}

Expected<FigureData> roles_from_trace(const TraceFile& trace) {
  if (!has_roles(trace.provenance().policy)) return held_from_trace(trace);
  NATSCOPE_CHECK(check_counts(trace));
  RoleMap roles{trace.layers(), trace.kv_heads(), trace.tokens_count(), trace.roles(), {}};
  roles.is_held = held_by_roles(roles, trace.provenance().window);
  FigureData figure = figure_of(trace, FigureKind::roles);
  figure.values = std::move(roles);
  return figure;
}

Expected<FigureData> map_from_trace(const FigureRequest& request, const TraceFile& trace) {
  FigureData figure = figure_of(trace, request.kind);
  NATSCOPE_TRY(figure.values, heatmap(trace, request));
  figure.provenance.maps = {request.map};
  return figure;
}

Expected<FigureData> heads_from_trace(const TraceFile& trace) {
  NATSCOPE_TRY(const Session session, session_of(trace, std::nullopt));
  FigureData figure = figure_of(trace, FigureKind::heads);
  figure.values = head_table(head_summaries(session.record), session.policy);
  return figure;
}

}  // namespace

Expected<FigureData> figure_of_trace(const FigureRequest& request, const TraceFile& trace, const RunOf* other) {
  switch (request.kind) {
    case FigureKind::attention:
    case FigureKind::mask:
      return map_from_trace(request, trace);
    case FigureKind::roles:
      return roles_from_trace(trace);
    case FigureKind::kv: {
      FigureData figure = figure_of(trace, FigureKind::kv);
      NATSCOPE_TRY(figure.values, curve_of(trace));
      return figure;
    }
    case FigureKind::heads:
      return heads_from_trace(trace);
    case FigureKind::overview:
      return overview_from_trace(trace, request.layer);
    case FigureKind::statistics:
      return statistics_from_trace(trace, request.layer, other);
    case FigureKind::text:
    case FigureKind::vocabulary:
      break;
  }
  return figure_of_its_record(request, trace);
}

}  // namespace natscope
