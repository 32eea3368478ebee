// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/figure/some_figures.h"
#include "core/export/figures.h"

#include <QXmlStreamReader>
#include <algorithm>
#include <cmath>
#include <limits>

namespace natscope::ui::test {

Provenance someProvenance() {
  Provenance provenance;
  provenance.window = 16;
  provenance.dtype = "float32";
  provenance.seed = 42;
  provenance.model_sha256 = std::string(64, 'a');
  provenance.prompt_sha256 = std::string(64, 'b');
  provenance.natscope_version = "0.1.0 <&>";
  provenance.policy = "model";
  return provenance;
}

FigureData attention(std::int32_t queries, std::int32_t keys, bool withTexts) {
  Heatmap map;
  map.layer = LayerId(2);
  map.head = HeadId(1);
  map.queries = {4, 4 + queries};
  map.keys = {0, keys};
  for (std::int32_t query = 0; query < queries; ++query) {
    for (std::int32_t key = 0; key < keys; ++key) {
      const bool isSeen = key <= query + 4 && (key + query) % 3 != 0;
      map.visible.push_back(isSeen ? 1 : 0);
      map.values.push_back(isSeen ? static_cast<float>((key * 7 + query) % 50) / 50.0F : 0.0F);
    }
  }
  FigureData figure;
  figure.kind = FigureKind::attention;
  figure.values = std::move(map);
  for (std::int32_t token = 0; token < 4 + std::max(queries, keys); ++token) {
    figure.tokens.push_back(token);
    if (withTexts) figure.token_texts.push_back(token == 3 ? " <a&b>" : " t" + std::to_string(token));
  }
  figure.provenance = someProvenance();
  return figure;
}

FigureData roles(std::int32_t layers, std::int32_t heads, std::int64_t length) {
  RoleMap map{layers, heads, length, {}};
  for (std::int64_t i = 0; i < layers * heads * length; ++i) map.roles.push_back(static_cast<Role>(i * 7 % 3));
  map.is_held = held_by_roles(map, 16);
  FigureData figure;
  figure.kind = FigureKind::roles;
  figure.values = std::move(map);
  figure.provenance = someProvenance();
  return figure;
}

FigureData overview(std::int32_t layers, std::int32_t heads, std::int64_t tokens, bool isPartly) {
  std::vector<LayerId> rows;
  for (std::int32_t layer = 0; layer < layers; ++layer) rows.emplace_back(layer);
  HeadOverview maps = *empty_overview(rows, heads, std::max(1, heads / 2), tokens);
  for (std::int32_t layer = 0; layer < layers; ++layer) {
    for (std::int32_t head = 0; head < heads; ++head) {
      if (isPartly && (layer + head) % 2 != 0) continue;
      AttentionTile tile;
      tile.key = overview_tile(LayerId(layer), HeadId(head), tokens);
      tile.tokens = tokens;
      tile.rows = tile.columns = maps.side;
      for (std::int32_t cell = 0; cell < maps.side * maps.side; ++cell) {
        const std::int32_t query = cell / maps.side;
        const std::int32_t key = cell % maps.side;
        const bool isSeen = key <= query && (query + key + head) % 3 != 0;
        tile.visible_share.push_back(isSeen ? 1.0F : 0.0F);
        tile.maximum.push_back(isSeen ? static_cast<float>((key * 7 + query + layer) % 50) / 50.0F : 0.0F);
      }
      if (!put(maps, tile)) qFatal("a tile that does not fit");
    }
  }
  FigureData figure;
  figure.provenance = someProvenance();
  return overview_figure(std::move(maps), std::move(figure));
}

FigureData text(bool isOfHead, bool hasRoles) {
  FigureData figure;
  figure.kind = FigureKind::text;
  figure.provenance = someProvenance();
  if (!hasRoles) figure.provenance.policy = "h2o:4,8";
  ColouredText shown;
  shown.range = {2, 42};
  if (isOfHead) shown.head = MapId{LayerId(3), HeadId(5)};
  for (std::int32_t token = 0; token < 50; ++token) {
    figure.tokens.push_back(token);
    figure.token_texts.push_back(token % 9 == 8 ? "\n" : token == 3 ? " <a&b>" : " word" + std::to_string(token));
    if (token >= 40) continue;
    if (isOfHead && hasRoles) shown.roles.push_back(static_cast<Role>(token % 3));
    if (isOfHead) shown.is_held.push_back(token % 2 == 0 ? 1 : 0);
    shown.held_share.push_back(static_cast<float>(token) / 40);
  }
  figure.values = std::move(shown);
  return figure;
}

FigureData curve(bool withBytes) {
  KvCurve kv;
  kv.length = 30;
  kv.layers = 2;
  kv.kv_heads = 2;
  for (int step = 0; step < 30; ++step) {
    for (int head = 0; head < 4; ++head) kv.entries.push_back(step / 2 + head);
    kv.allocated_bytes.push_back(4096 * (step / 8 + 1));
    if (!withBytes) continue;
    kv.dense_bytes.push_back((step + 1) * 1024);
    kv.live_bytes.push_back((step + 1) * 300);
  }
  FigureData figure;
  figure.kind = FigureKind::kv;
  figure.values = std::move(kv);
  figure.provenance = someProvenance();
  return figure;
}

FigureData losses(bool isCompared) {
  FigureData figure = text(false);
  LossText shown;
  shown.range = std::get<ColouredText>(figure.values).range;
  for (int i = 0; i < shown.range.size(); ++i) {
    shown.losses.push_back(i % 5 == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.1 * i + 1.0 / 3);
    if (isCompared) shown.other_losses.push_back(shown.losses.back() + 0.4 * std::sin(i));
  }
  shown.widest_difference = 0.5;
  figure.values = std::move(shown);
  if (isCompared) figure.compared.push_back({{}, someProvenance()});
  return figure;
}

FigureData held(std::int32_t layers, std::int32_t heads, std::int64_t length) {
  HeldMap map{layers, heads, {length, 0, 0, 0}, {}};
  for (std::int64_t i = 0; i < layers * heads * length; ++i) {
    map.held_by.push_back(static_cast<HeldBy>(i * 7 % 4));
    map.counts.both += map.held_by.back() == HeldBy::both ? 1 : 0;
    map.counts.first += map.held_by.back() == HeldBy::first ? 1 : 0;
    map.counts.second += map.held_by.back() == HeldBy::second ? 1 : 0;
  }
  FigureData figure;
  figure.kind = FigureKind::roles;
  figure.values = std::move(map);
  figure.provenance = someProvenance();
  figure.compared.push_back({{}, someProvenance()});
  figure.compared.front().provenance.policy = "streaming:4,16";
  return figure;
}

QStringList textsOf(const Expected<QByteArray>& svg) {
  QXmlStreamReader xml(svg ? *svg : QByteArray());
  QStringList texts;
  while (!xml.atEnd()) {
    if (xml.readNext() == QXmlStreamReader::StartElement && xml.name() == u"text") texts << xml.readElementText();
  }
  return xml.hasError() ? QStringList() : texts;
}

}  // namespace natscope::ui::test
