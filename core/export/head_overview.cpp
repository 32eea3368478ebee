// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/export/head_overview.h"

#include <limits>
#include <string>
#include <utility>

#include "core/export/figure_data.h"
#include "core/export/scale.h"

namespace natscope {
namespace {

/// 1 GiB of weights.
constexpr std::int64_t max_cells = 1LL << 28U;

}  // namespace

Expected<std::vector<LayerId>> overview_layers(std::optional<LayerId> layer, std::int32_t layers) {
  if (layer && (layer->value < 0 || layer->value >= layers)) {
    return fail(ErrorCode::bad_layer,
                "there is no layer " + std::to_string(layer->value) + "; there are " + std::to_string(layers));
  }
  std::vector<LayerId> rows;
  for (std::int32_t row = 0; row < layers; ++row) {
    if (!layer || layer->value == row) rows.emplace_back(row);
  }
  return rows;
}

Expected<HeadOverview> empty_overview(std::vector<LayerId> layers, std::int32_t heads, std::int32_t kv_heads,
                                      std::int64_t tokens) {
  if (layers.empty() || heads < 1 || kv_heads < 1 || tokens < 1)
    return fail(ErrorCode::bad_range, "there are no maps to show");
  HeadOverview overview{std::move(layers), heads, kv_heads, tokens, overview_zoom(tokens), 0, {}, {}, {}};
  overview.side = static_cast<std::int32_t>(((tokens - 1) >> overview.zoom) + 1);
  const std::size_t maps = overview.layers.size() * static_cast<std::size_t>(heads);
  if (maps > static_cast<std::size_t>(max_cells) / overview.cells()) {
    return fail(ErrorCode::bad_range,
                std::to_string(maps) + " maps of " + std::to_string(overview.side) + " × " +
                    std::to_string(overview.side) + " cells are too many for one file",
                "choose one layer with --layer");
  }
  overview.largest.assign(maps * overview.cells(), std::numeric_limits<float>::quiet_NaN());
  overview.visible.assign(maps * overview.cells(), 0);
  overview.has_map.assign(maps, 0);
  overview.summaries.assign(maps, std::nullopt);
  return overview;
}

TileKey overview_tile(LayerId layer, HeadId head, std::int64_t tokens) {
  return {layer, head, overview_zoom(tokens), 0, 0};
}

Expected<void> put(HeadOverview& overview, const AttentionTile& tile) {
  const auto row = std::find(overview.layers.begin(), overview.layers.end(), tile.key.layer);
  const bool has_place = row != overview.layers.end() && tile.key.head.value >= 0 &&
                         tile.key.head.value < overview.heads && tile.key.row == 0 && tile.key.column == 0;
  if (!has_place || tile.key.zoom != overview.zoom || tile.tokens != overview.tokens ||
      tile.maximum.size() != overview.cells() || tile.visible_share.size() != overview.cells()) {
    return fail(ErrorCode::bad_range, "a map of another text came for the picture of all heads",
                "let the text be as it is while it is written");
  }
  const std::size_t map = overview.index(static_cast<std::size_t>(row - overview.layers.begin()), tile.key.head);
  const auto begin = static_cast<std::ptrdiff_t>(map * overview.cells());
  std::copy(tile.maximum.begin(), tile.maximum.end(), overview.largest.begin() + begin);
  std::transform(tile.visible_share.begin(), tile.visible_share.end(), overview.visible.begin() + begin,
                 [](float share) { return static_cast<std::uint8_t>(share > 0 ? 1 : 0); });
  overview.has_map[map] = 1;
  overview.summaries[map] = tile.summary;
  return {};
}

Expected<HeadOverview> computed_overview(std::vector<LayerId> layers, std::int32_t heads, std::int32_t kv_heads,
                                         std::int64_t tokens,
                                         const std::function<Expected<AttentionTile>(const TileKey& key)>& tile) {
  NATSCOPE_TRY(HeadOverview overview, empty_overview(std::move(layers), heads, kv_heads, tokens));
  for (const LayerId layer : overview.layers) {
    for (std::int32_t head = 0; head < heads; ++head) {
      NATSCOPE_TRY(const AttentionTile map, tile(overview_tile(layer, HeadId(head), tokens)));
      NATSCOPE_CHECK(put(overview, map));
    }
  }
  return overview;
}

FigureData overview_figure(HeadOverview overview, FigureData figure) {
  figure.kind = FigureKind::overview;
  figure.provenance.maps.clear();
  for (std::size_t row = 0; row < overview.layers.size(); ++row) {
    for (std::int32_t head = 0; head < overview.heads; ++head) {
      if (overview.has_map[overview.index(row, HeadId(head))] != 0)
        figure.provenance.maps.push_back({overview.layers[row], HeadId(head)});
    }
  }
  figure.values = std::move(overview);
  return figure;
}

HeadOverview prepared(HeadOverview overview, const ScaleOptions& options) {
  if (!options.hide_sink) return overview;
  for (std::size_t map = 0; map < overview.has_map.size(); ++map) {
    if (overview.has_map[map] == 0) continue;
    for (std::int32_t row = 0; row < overview.side; ++row) {
      const std::size_t cell =
          map * overview.cells() + static_cast<std::size_t>(row) * static_cast<std::size_t>(overview.side);
      overview.largest[cell] = 0;
      overview.visible[cell] = 0;
    }
  }
  return overview;
}

Heatmap put_together(const Heatmap& map, std::int64_t rows, std::int64_t columns) {
  std::vector<float> cells(map.values.size());
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = map.visible[i] != 0 ? map.values[i] : -1.0F;
  Heatmap fewer = map;
  fewer.queries = {0, static_cast<std::int32_t>(rows)};
  fewer.keys = {0, static_cast<std::int32_t>(columns)};
  fewer.values = largest_cells(std::span<const float>(cells), {map.queries.size(), rows}, {map.keys.size(), columns});
  fewer.visible.clear();
  fewer.visible.reserve(fewer.values.size());
  for (float& value : fewer.values) {
    fewer.visible.push_back(value >= 0 ? 1 : 0);
    value = std::max(value, 0.0F);
  }
  return fewer;
}

Heatmap thumbnail(const HeadOverview& overview, std::size_t row, HeadId head, std::int32_t pixels) {
  const auto first = static_cast<std::ptrdiff_t>(overview.index(row, head) * overview.cells());
  const auto end = first + static_cast<std::ptrdiff_t>(overview.cells());
  const PositionRange all{0, overview.side};
  const Heatmap map{FigureKind::attention,
                    overview.layers[row],
                    head,
                    all,
                    all,
                    {overview.largest.begin() + first, overview.largest.begin() + end},
                    {overview.visible.begin() + first, overview.visible.begin() + end}};
  const std::int32_t side = std::min(overview.side, pixels);
  return put_together(map, side, side);
}

}  // namespace natscope
