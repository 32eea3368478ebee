// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <set>

#include "ui/models/engine_tile_source.h"
#include "ui/models/recording.h"

namespace natscope::ui {

/// Tiles of what is shown: of a recording while there is one, else of the engine's present sequence.
///
/// A recording's tiles are computed from its file on another thread and kept until another sequence is shown.
class ShownTileSource : public TileSource {
  Q_OBJECT

 public:
  using ShownRecording = std::function<std::shared_ptr<const Recording>()>;

  /// `recording`: the one that is shown, or null.
  ShownTileSource(EngineClient& client, ShownRecording recording, QObject* parent = nullptr);

  [[nodiscard]] qint64 tokens() const override { return engine_.tokens(); }
  [[nodiscard]] std::shared_ptr<const AttentionTile> tile(const TileKey& key) override;
  [[nodiscard]] std::shared_ptr<const AttentionTile> cached(const TileKey& key) const override;
  [[nodiscard]] QString whyNoMap(LayerId layer, HeadId head) const override;
  [[nodiscard]] QString whyNoTiles() const override;
  void dropPending() override { engine_.dropPending(); }
  void fetchLater(const std::vector<TileKey>& keys, const OtherRun& other) override;

 Q_SIGNALS:
  void failed(const natscope::Error& error);  ///< a recorded map that cannot be read

 private:
  void compute(const std::shared_ptr<const Recording>& recording, const TileKey& key);
  void computeNextLater();

  EngineClient& client_;
  EngineTileSource engine_;
  ShownRecording recording_;
  LatestUsed<TileKey, std::shared_ptr<const AttentionTile>> recorded_;
  std::set<TileKey> computing_;
  std::vector<TileKey> later_;  // of a recording, next one last
  OtherRun comparedLater_;
  bool isComputingLater_ = false;
  quint64 generation_ = 0;
  QString reading_;  // how far the engine is with reading the text once more; empty: it is not
};

}  // namespace natscope::ui
