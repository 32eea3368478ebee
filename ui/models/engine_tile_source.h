// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "ui/bridge/engine_client.h"
#include "ui/models/latest_used.h"
#include "ui/models/tile_source.h"

namespace natscope::ui {

/// Tiles of the engine's present sequence, of which the keptTiles that were used last are kept.
class EngineTileSource : public TileSource {
  Q_OBJECT

 public:
  explicit EngineTileSource(EngineClient& client, QObject* parent = nullptr);

  [[nodiscard]] qint64 tokens() const override;
  [[nodiscard]] std::shared_ptr<const AttentionTile> tile(const TileKey& key) override;
  [[nodiscard]] std::shared_ptr<const AttentionTile> cached(const TileKey& key) const override;
  void dropPending() override;
  void fetchLater(const std::vector<TileKey>& keys, const OtherRun& other) override;

 private:
  void take(const AttentionTile& tile);
  [[nodiscard]] bool isOutOfDate(const AttentionTile& tile) const;

  EngineClient& client_;
  LatestUsed<TileKey, std::shared_ptr<const AttentionTile>> kept_;
  std::set<TileKey> wanted_;  // asked for by tile() …
  std::set<TileKey> later_;   // … and by fetchLater()
};

}  // namespace natscope::ui
