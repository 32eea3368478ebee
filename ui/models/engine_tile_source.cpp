// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/engine_tile_source.h"

#include <algorithm>

namespace natscope::ui {
EngineTileSource::EngineTileSource(EngineClient& client, QObject* parent)
    : TileSource(parent), client_(client), kept_(keptTiles) {
  connect(&client_, &EngineClient::tileArrived, this, &EngineTileSource::take);
  connect(&client_, &EngineClient::sequenceStarted, this, [this] {
    kept_.clear();
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
  const auto* const found = kept_.find(key);
  if (found == nullptr || isOutOfDate(**found)) {
    wanted_.insert(key);
    client_.requestTile(key);
  }
  return found == nullptr ? nullptr : *found;
}

std::shared_ptr<const AttentionTile> EngineTileSource::cached(const TileKey& key) const {
  const auto* const found = kept_.peek(key);
  return found == nullptr ? nullptr : *found;
}

void EngineTileSource::dropPending() {
  wanted_.clear();
  client_.dropPendingTiles();
}

void EngineTileSource::fetchLater(const std::vector<TileKey>& keys, const OtherRun& other) {
  // One that is on its way stays among them until it is here.
  later_.insert(keys.begin(), keys.end());
  client_.requestTilesLater(keys, other);
}

void EngineTileSource::take(const AttentionTile& tile) {
  // One may come twice: compared with a run that another took the place of, and then with that.
  const bool isForLater = later_.erase(tile.key) > 0 || tile.compared_run != 0;
  const bool isWanted = wanted_.erase(tile.key) > 0 || kept_.peek(tile.key) != nullptr;
  if (!isForLater || isWanted) {
    kept_.keep(tile.key, std::make_shared<const AttentionTile>(tile));
    Q_EMIT arrived(tile.key);
  }
  if (isForLater) Q_EMIT arrivedLater(std::make_shared<const AttentionTile>(tile));
}

}  // namespace natscope::ui
