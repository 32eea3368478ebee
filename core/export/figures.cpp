// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/figures.h"

#include <string>
#include <utility>

#include "core/cache/policy.h"
#include "core/explore/lifeline.h"
#include "core/export/head_table.h"
#include "core/export/vocabulary_table.h"

namespace natscope {
namespace {

Expected<void> check_map(const CacheGeometry& geometry, std::int32_t heads, const MapId& map) {
  if (map.layer.value < 0 || map.layer.value >= geometry.layers) {
    return fail(ErrorCode::bad_layer, "there is no layer " + std::to_string(map.layer.value));
  }
  if (map.head.value < 0 || map.head.value >= heads || geometry.kv_heads < 1 || heads % geometry.kv_heads != 0) {
    return fail(ErrorCode::bad_head, "there is no head " + std::to_string(map.head.value));
  }
  return {};
}

}  // namespace

void add_axis(FigureData& figure, const SequenceRecord& record) {
  for (const TokenFrame& frame : record.frames()) {
    figure.tokens.push_back(frame.token);
    figure.token_texts.push_back(frame.text);
  }
}

Expected<void> check_range(PositionRange range, std::int64_t tokens) {
  if (range.begin >= 0 && range.end >= range.begin && range.end <= tokens) return {};
  return fail(ErrorCode::bad_position, "a range leaves the sequence of " + std::to_string(tokens) + " tokens");
}

std::vector<std::uint8_t> held_by_roles(const RoleMap& map, std::optional<std::int64_t> window) {
  std::vector<std::uint8_t> is_held(map.roles.size());
  const TokenPos last(static_cast<std::int32_t>(map.length - 1));
  for (std::int64_t row = 0; row < std::int64_t{map.layers} * map.kv_heads; ++row) {
    std::int32_t next_global = no_next_global;
    for (std::int64_t position = map.length - 1; position >= 0; --position) {
      const auto at = static_cast<std::size_t>(row * map.length + position);
      const TokenPos key(static_cast<std::int32_t>(position));
      is_held[at] = held_after(map.roles[at], key, last, next_global, window.value_or(0)) ? 1 : 0;
      if (map.roles[at] == Role::global) next_global = key.value;
    }
  }
  return is_held;
}

FigureData roles_figure(const SequenceRecord& record, Provenance provenance) {
  FigureData figure{FigureKind::roles, {}, {}, {}, std::move(provenance)};
  RoleMap map{record.geometry().layers, record.geometry().kv_heads, record.size(), {}};
  for (std::int32_t layer = 0; layer < map.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < map.kv_heads; ++kv_head) {
      const auto roles = record.roles(LayerId(layer), KvHeadId(kv_head));
      map.roles.insert(map.roles.end(), roles.begin(), roles.end());
      for (const std::int32_t last : record.last_query(LayerId(layer), KvHeadId(kv_head)))
        map.is_held.push_back(last >= map.length ? 1 : 0);
    }
  }
  figure.values = std::move(map);
  add_axis(figure, record);
  return figure;
}

void name_silent_tokens(FigureData& figure, const TokenNames& name_of) {
  for (std::size_t i = 0; i < figure.token_texts.size(); ++i) {
    if (figure.token_texts[i].empty()) figure.token_texts[i] = name_of(figure.tokens[i]);
  }
}

Expected<FigureData> overview_of_record(const SequenceRecord& record, std::int32_t heads, std::optional<LayerId> layer,
                                        Provenance provenance,
                                        const std::function<Expected<AttentionTile>(const TileKey& key)>& tile) {
  NATSCOPE_TRY(std::vector<LayerId> layers, overview_layers(layer, record.geometry().layers));
  NATSCOPE_TRY(HeadOverview overview,
               computed_overview(std::move(layers), heads, record.geometry().kv_heads, record.size(), tile));
  FigureData figure{FigureKind::overview, {}, {}, {}, std::move(provenance)};
  add_axis(figure, record);
  return overview_figure(std::move(overview), std::move(figure));
}

FigureData heads_figure(const SequenceRecord& record, Provenance provenance) {
  FigureData figure{FigureKind::heads, {}, {}, {}, std::move(provenance)};
  figure.values = head_table(head_summaries(record), figure.provenance.policy);
  add_axis(figure, record);
  return figure;
}

Expected<FigureData> vocabulary_figure(const SequenceRecord& record, std::int32_t heads,
                                       const std::optional<MapId>& head, Provenance provenance,
                                       const TokenNames& name_of) {
  VocabularyCount count;
  if (head) {
    NATSCOPE_CHECK(check_map(record.geometry(), heads, *head));
    count.begin(record, record.size());
    count.add_head(record, head->layer, kv_head_of(head->head, heads, record.geometry().kv_heads));
  } else {
    count.add(record);
  }
  FigureData figure{FigureKind::vocabulary, {}, {}, {}, std::move(provenance)};
  figure.values = vocabulary_table(count.ranked(), count.held_steps(), figure.provenance.policy, name_of);
  figure.head = head;
  add_axis(figure, record);
  return figure;
}

FigureData kv_figure(const SequenceRecord& record, Provenance provenance) {
  FigureData figure{FigureKind::kv, {}, {}, {}, std::move(provenance)};
  KvCurve curve{record.size(), record.geometry().layers, record.geometry().kv_heads, {}, {}, {}, {}};
  const bool has_entry_size = record.geometry().head_dim > 0;
  const std::span<const TokenFrame> frames = record.frames();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const TokenFrame& frame = frames[i];
    const bool is_in_prompt = i + 1 < frames.size() && !frame.generated && !frames[i + 1].generated;
    curve.entries.insert(curve.entries.end(), frame.entries.begin(), frame.entries.end());
    if (has_entry_size) {
      curve.dense_bytes.push_back(frame.counts.dense_bytes);
      curve.live_bytes.push_back(frame.counts.live_bytes);
    }
    curve.allocated_bytes.push_back(is_in_prompt ? 0 : frame.counts.allocated_bytes);
  }
  if (!record.knows_allocated()) curve.allocated_bytes.clear();
  figure.values = std::move(curve);
  add_axis(figure, record);
  return figure;
}

Expected<void> check_map_size(PositionRange queries, PositionRange keys) {
  if (queries.size() * keys.size() <= max_map_cells) return {};
  return fail(ErrorCode::bad_range,
              "a map of " + std::to_string(queries.size()) + " × " + std::to_string(keys.size()) +
                  " cells is too large for one file",
              "choose a part of the queries and keys (--queries a:b, --keys a:b)");
}

Expected<FigureData> mask_figure(const SequenceRecord& record, std::int32_t heads, const MapId& map,
                                 PositionRange queries, PositionRange keys, Provenance provenance) {
  const CacheGeometry& geometry = record.geometry();
  NATSCOPE_CHECK(check_map(geometry, heads, map));
  for (const PositionRange& range : {queries, keys}) NATSCOPE_CHECK(check_range(range, record.size()));
  NATSCOPE_CHECK(check_map_size(queries, keys));
  const auto last_query = record.last_query(map.layer, kv_head_of(map.head, heads, geometry.kv_heads));
  Heatmap mask{FigureKind::mask, map.layer, map.head, queries, keys, {}, {}};
  mask.visible.reserve(static_cast<std::size_t>(queries.size() * keys.size()));
  for (std::int32_t query = queries.begin; query < queries.end; ++query) {
    for (std::int32_t key = keys.begin; key < keys.end; ++key) {
      const bool seen = key == query || (key < query && query <= last_query[static_cast<std::size_t>(key)]);
      mask.visible.push_back(seen ? 1 : 0);
    }
  }
  mask.values.assign(mask.visible.begin(), mask.visible.end());
  provenance.maps = {map};
  FigureData figure{FigureKind::mask, std::move(mask), {}, {}, std::move(provenance)};
  add_axis(figure, record);
  return figure;
}

Expected<FigureData> text_figure(const SequenceRecord& record, std::int32_t heads, const std::optional<MapId>& head,
                                 PositionRange range, Provenance provenance) {
  NATSCOPE_CHECK(check_range(range, record.size()));
  ColouredText text{head, range, {}, {}, {}};
  for (const double share : held_shares(record, TokenPos(range.begin), TokenPos(range.end)))
    text.held_share.push_back(static_cast<float>(share));
  if (head) {
    NATSCOPE_CHECK(check_map(record.geometry(), heads, *head));
    const KvHeadId kv_head = kv_head_of(head->head, heads, record.geometry().kv_heads);
    for (std::int32_t position = range.begin; position < range.end; ++position) {
      NATSCOPE_TRY(const Lifeline line, lifeline_of(record, head->layer, kv_head, TokenPos(position)));
      text.is_held.push_back(line.fate == EntryFate::held ? 1 : 0);
      if (has_roles(provenance.policy)) text.roles.push_back(line.role);
    }
  }
  FigureData figure{FigureKind::text, std::move(text), {}, {}, std::move(provenance)};
  add_axis(figure, record);
  return figure;
}

}  // namespace natscope
