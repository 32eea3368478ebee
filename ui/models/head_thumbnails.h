// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/session/provenance.h"
#include "ui/models/tile_source.h"

namespace natscope::ui {

/// One head's whole map, small enough to keep those of all heads: the tile that covers it, a number of 16 bits a cell.
struct HeadThumbnail {
  std::int64_t tokens = 0;  ///< T when it was computed
  std::int32_t side = 0;
  /// [side, side] 0 where masked or in the future, else 1 + the upper 16 bits of the largest weight: they compare as
  /// weights do, and colours need no more (ColourTable).
  std::vector<std::uint16_t> cells;
  std::optional<AttentionSummary> summary{};
  std::uint64_t comparedRun = 0;  ///< OtherRun::id of the one that the summary is compared with
};

/// The maps of all heads of what is shown, as far as they were computed, until something else is shown; one set for
/// all views of them.
///
/// They are fetched by TileSource::fetchLater: one after another, when nothing else is to be done. Of a text that grew
/// since, the old picture stays until the new one is there.
class HeadThumbnails : public QObject {
  Q_OBJECT

 public:
  explicit HeadThumbnails(TileSource& tiles, QObject* parent = nullptr);

  /// Null: not computed yet.
  [[nodiscard]] std::shared_ptr<const HeadThumbnail> of(const MapId& head) const;
  /// Whether its picture is of the whole text.
  [[nodiscard]] bool isUpToDate(const MapId& head) const;
  /// The same, and its summary is compared with this run, where there is one.
  [[nodiscard]] bool isUpToDate(const MapId& head, const OtherRun& other) const;

  /// Fetches those of these heads that are missing or out of date and can be had, in this order, before those that
  /// others want; what waits of an earlier call for the same view is forgotten. None: it wants nothing more. `other`:
  /// the run that their summaries are to be compared with; one view at a time has one.
  void want(const QObject& view, std::vector<MapId> heads, OtherRun other = {});

  /// How many visible cells of all pictures have which upper 16 bits, for range_of_counts.
  [[nodiscard]] std::vector<std::uint64_t> counts(bool hideSink) const;

 Q_SIGNALS:
  void changed(const natscope::MapId& head);
  void cleared();  ///< something else is shown

 private:
  void keep(const AttentionTile& tile);
  void count(const HeadThumbnail& thumbnail, std::uint64_t one);

  struct Wanted {
    const QObject* view;
    std::vector<MapId> heads;
    OtherRun other;
  };

  TileSource& tiles_;
  std::vector<Wanted> wanted_;  // the latest first
  std::map<std::pair<std::int32_t, std::int32_t>, std::shared_ptr<const HeadThumbnail>> kept_;
  std::vector<std::uint64_t> counts_;      // of all visible cells …
  std::vector<std::uint64_t> sinkCounts_;  // … and of those in the first column
};

}  // namespace natscope::ui
