// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/head_thumbnails.h"

#include <bit>
#include <set>
#include <utility>

namespace natscope::ui {
namespace {

constexpr std::size_t codes = 1U << 15U;  // no weight is below 0

std::shared_ptr<const HeadThumbnail> thumbnailOf(const AttentionTile& tile) {
  auto made = std::make_shared<HeadThumbnail>();
  made->tokens = tile.tokens;
  made->side = tile.columns;
  made->summary = tile.summary;
  made->comparedRun = tile.compared_run;
  made->cells.reserve(tile.maximum.size());
  for (std::size_t cell = 0; cell < tile.maximum.size(); ++cell) {
    const std::uint32_t code = std::bit_cast<std::uint32_t>(tile.maximum[cell]) >> 16U;
    made->cells.push_back(tile.visible_share[cell] > 0 && code < codes ? static_cast<std::uint16_t>(code + 1)
                                                                       : std::uint16_t{0});
  }
  return made;
}

}  // namespace

HeadThumbnails::HeadThumbnails(TileSource& tiles, QObject* parent)
    : QObject(parent), tiles_(tiles), counts_(codes), sinkCounts_(codes) {
  connect(&tiles_, &TileSource::arrivedLater, this,
          [this](const std::shared_ptr<const AttentionTile>& tile) { keep(*tile); });
  connect(&tiles_, &TileSource::reset, this, [this] {
    kept_.clear();
    counts_.assign(codes, 0);
    sinkCounts_.assign(codes, 0);
    Q_EMIT cleared();
  });
}

std::shared_ptr<const HeadThumbnail> HeadThumbnails::of(const MapId& head) const {
  const auto found = kept_.find({head.layer.value, head.head.value});
  return found == kept_.end() ? nullptr : found->second;
}

bool HeadThumbnails::isUpToDate(const MapId& head) const {
  const auto thumbnail = of(head);
  return thumbnail && thumbnail->tokens >= tiles_.tokens();
}

bool HeadThumbnails::isUpToDate(const MapId& head, const OtherRun& other) const {
  return isUpToDate(head) && (other.id == 0 || of(head)->comparedRun == other.id);
}

void HeadThumbnails::want(const QObject& view, std::vector<MapId> heads, OtherRun other) {
  const bool wantedSome = std::erase_if(wanted_, [&](const Wanted& wanted) { return wanted.view == &view; }) > 0;
  if (heads.empty() && !wantedSome) return;
  if (!heads.empty()) wanted_.insert(wanted_.begin(), {&view, std::move(heads), std::move(other)});
  std::vector<TileKey> missing;
  std::set<TileKey> asked;
  const qint64 tokens = tiles_.tokens();
  OtherRun compared;
  for (const Wanted& wanted : wanted_) {
    if (compared.id == 0) compared = wanted.other;
    for (const MapId& head : wanted.heads) {
      if (tokens == 0 || isUpToDate(head, wanted.other) || !tiles_.whyNoMap(head.layer, head.head).isEmpty()) continue;
      const TileKey key{head.layer, head.head, overview_zoom(tokens), 0, 0};
      // What the map view has need not be computed again.
      const auto cached = tiles_.cached(key);
      if (cached && cached->tokens >= tokens && !isUpToDate(head)) keep(*cached);
      if (!isUpToDate(head, wanted.other) && asked.insert(key).second) missing.push_back(key);
    }
  }
  tiles_.fetchLater(missing, compared);
}

void HeadThumbnails::keep(const AttentionTile& tile) {
  const bool isWhole = tile.key.row == 0 && tile.key.column == 0 && tile.rows == tile.columns &&
                       tile.key.zoom == overview_zoom(tile.tokens);
  if (!isWhole) return;
  auto& kept = kept_[{tile.key.layer.value, tile.key.head.value}];
  if (kept) count(*kept, ~std::uint64_t{0});  // takes 1 away
  kept = thumbnailOf(tile);
  count(*kept, 1);
  Q_EMIT changed({tile.key.layer, tile.key.head});
}

void HeadThumbnails::count(const HeadThumbnail& thumbnail, std::uint64_t one) {
  const auto side = static_cast<std::size_t>(thumbnail.side);
  for (std::size_t cell = 0; cell < thumbnail.cells.size(); ++cell) {
    if (thumbnail.cells[cell] == 0) continue;
    const std::size_t code = thumbnail.cells[cell] - 1U;
    counts_[code] += one;
    if (cell % side == 0) sinkCounts_[code] += one;
  }
}

std::vector<std::uint64_t> HeadThumbnails::counts(bool hideSink) const {
  std::vector<std::uint64_t> result = counts_;
  for (std::size_t code = 0; hideSink && code < codes; ++code) result[code] -= sinkCounts_[code];
  return result;
}

}  // namespace natscope::ui
