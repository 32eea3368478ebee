// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/engine_tile_source.h"

#include <algorithm>

namespace natscope::ui {
namespace {

/// A full tile takes 0.75 MiB.
constexpr std::size_t keptTiles = 160;

}  // namespace

EngineTileSource::EngineTileSource(EngineClient& client, QObject* parent) : TileSource(parent), client_(client) {
  connect(&client_, &EngineClient::tileArrived, this, &EngineTileSource::take);
  connect(&client_, &EngineClient::sequenceStarted, this, [this] {
    entries_.clear();
    uses_.clear();
    wanted_.clear();
    later_.clear();
    Q_EMIT reset();
  });
}

qint64 EngineTileSource::tokens() const { return client_.record().size(); }

bool EngineTileSource::isOutOfDate(const AttentionTile& tile) const {
  if (tile.tokens >= tokens()) return false;
  // Rows and columns that the sequence had reached never change: queries see only what came before them.
  const qint64 end = (qint64{std::max(tile.key.row, tile.key.column)} + 1) * (qint64{tile_cells} << tile.key.zoom);
  return end > tile.tokens;
}

std::shared_ptr<const AttentionTile> EngineTileSource::tile(const TileKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    wanted_.insert(key);
    client_.requestTile(key);
    return nullptr;
  }
  uses_.splice(uses_.begin(), uses_, found->second.use);
  if (isOutOfDate(*found->second.tile)) {
    wanted_.insert(key);
    client_.requestTile(key);
  }
  return found->second.tile;
}

std::shared_ptr<const AttentionTile> EngineTileSource::cached(const TileKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.tile;
}

void EngineTileSource::dropPending() {
  wanted_.clear();
  client_.dropPendingTiles();
}

void EngineTileSource::fetchLater(const std::vector<TileKey>& keys) {
  // One that is on its way stays among them until it is here.
  later_.insert(keys.begin(), keys.end());
  client_.requestTilesLater(keys);
}

void EngineTileSource::take(const AttentionTile& tile) {
  const bool isForLater = later_.erase(tile.key) > 0;
  const bool isWanted = wanted_.erase(tile.key) > 0 || entries_.contains(tile.key);
  if (!isForLater || isWanted) {
    keep(tile);
    Q_EMIT arrived(tile.key);
  }
  if (isForLater) Q_EMIT arrivedLater(std::make_shared<const AttentionTile>(tile));
}

void EngineTileSource::keep(const AttentionTile& tile) {
  auto shared = std::make_shared<const AttentionTile>(tile);
  if (const auto found = entries_.find(tile.key); found != entries_.end()) {
    found->second.tile = std::move(shared);
    return;
  }
  uses_.push_front(tile.key);
  entries_.emplace(tile.key, Entry{std::move(shared), uses_.begin()});
  if (entries_.size() > keptTiles) {
    entries_.erase(uses_.back());
    uses_.pop_back();
  }
}

}  // namespace natscope::ui
