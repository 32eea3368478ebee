// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <memory>
#include <vector>

#include "core/explore/attention_tile.h"
#include "ui/bridge/other_run.h"

namespace natscope::ui {

/// Where the attention map gets its tiles from: the engine, or made-up ones in tests and benchmarks.
/// Asking never waits: a tile that is not there is fetched, and `arrived` says when it is.
class TileSource : public QObject {
  Q_OBJECT

 public:
  using QObject::QObject;

  /// T: the map has T × T cells.
  [[nodiscard]] virtual qint64 tokens() const = 0;

  /// The tile, or null while it is on its way. It may be of an earlier, shorter T; a newer one is then on its way.
  [[nodiscard]] virtual std::shared_ptr<const AttentionTile> tile(const TileKey& key) = 0;

  /// The tile if it is there; fetches nothing.
  [[nodiscard]] virtual std::shared_ptr<const AttentionTile> cached(const TileKey& key) const = 0;

  /// Why there will be no picture of this head, in words for the place where it would be; empty: there will be one.
  [[nodiscard]] virtual QString whyNoMap(LayerId, HeadId) const { return {}; }

  /// Why tiles that are not here do not come for now, in words for the place where they would be; empty: they come.
  [[nodiscard]] virtual QString whyNoTiles() const { return {}; }

  /// Forgets what was asked for and has not been sent: the view looks elsewhere now.
  virtual void dropPending() {}

  /// For pictures of many heads at once: fetches the tiles one after another, in this order, whenever nothing that
  /// tile() asks for is on its way and the model has nothing else to do. Each comes with `arrivedLater` and is not kept
  /// here, so that it takes no other tile's place. What heads attend to is compared with `other`. Replaces what waits
  /// of an earlier call; none: nothing waits.
  virtual void fetchLater(const std::vector<TileKey>&, const OtherRun& other) { static_cast<void>(other); }

 Q_SIGNALS:
  void arrived(const natscope::TileKey& key);
  void arrivedLater(const std::shared_ptr<const natscope::AttentionTile>& tile);
  void waits();  ///< whyNoTiles() says something else than before
  void reset();  ///< another sequence: every tile is out of date
};

/// So many tiles of a map are kept, the latest used ones: 120 MiB, since a full one takes 0.75 MiB.
inline constexpr std::size_t keptTiles = 160;

}  // namespace natscope::ui
