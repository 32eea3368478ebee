// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/views/maps/map_frame_times.h"

#include <QElapsedTimer>
#include <QImage>
#include <QPainter>
#include <array>
#include <cmath>
#include <set>

#include "ui/views/maps/attention_map_view.h"

namespace natscope::ui {
namespace {

constexpr double nanosecondsPerMs = 1e6;
constexpr std::size_t patterns = 8;

/// Tiles with weights like a real head's (few large, most small, a third masked), made once and handed out again and
/// again under other keys. One that is asked for is there at the next frame.
class MadeUpTiles : public TileSource {
 public:
  explicit MadeUpTiles(qint64 tokens) : tokens_(tokens) {
    for (std::size_t i = 0; i < patterns; ++i) patterns_[i] = made(static_cast<std::uint32_t>(i));
  }

  [[nodiscard]] qint64 tokens() const override { return tokens_; }

  [[nodiscard]] std::shared_ptr<const AttentionTile> tile(const TileKey& key) override {
    if (here_.contains(key)) return of(key);
    wanted_.insert(key);
    return nullptr;
  }

  [[nodiscard]] std::shared_ptr<const AttentionTile> cached(const TileKey& key) const override {
    return here_.contains(key) ? of(key) : nullptr;
  }

  void deliver() {
    for (const TileKey& key : wanted_) {
      here_.insert(key);
      Q_EMIT arrived(key);
    }
    wanted_.clear();
  }

 private:
  [[nodiscard]] std::shared_ptr<const AttentionTile> of(const TileKey& key) const {
    return patterns_[static_cast<std::size_t>(key.row * 31 + key.column * 7 + key.zoom) % patterns];
  }

  [[nodiscard]] std::shared_ptr<const AttentionTile> made(std::uint32_t seed) const {
    auto tile = std::make_shared<AttentionTile>();
    tile->tokens = tokens_;
    tile->rows = tile->columns = tile_cells;
    std::uint32_t random = seed * 2654435761U + 1;
    for (int cell = 0; cell < tile_cells * tile_cells; ++cell) {
      random = random * 1664525U + 1013904223U;
      const bool isMasked = random >> 30U == 0;
      const float weight = isMasked ? 0.0F : std::exp2(-static_cast<float>(random >> 8U & 0xfffU) / 256.0F);
      tile->maximum.push_back(weight);
      tile->mean.push_back(weight / 2);
      tile->visible_share.push_back(isMasked ? 0.0F : 1.0F);
    }
    return tile;
  }

  qint64 tokens_;
  std::array<std::shared_ptr<const AttentionTile>, patterns> patterns_;
  std::set<TileKey> here_;
  std::set<TileKey> wanted_;
};

/// Pans along the diagonal, and zooms in and out over the whole range, as a hand on the mouse would.
void move(AttentionMapView& view, int frame) {
  constexpr int period = 120;
  MapTransform& transform = view.transform();
  const QPointF middle = transform.viewport().center();
  transform.zoomAt(middle + QPointF(40, 25), frame % period < period / 2 ? 1.08 : 1 / 1.08);
  transform.pan({-23.0, -17.0});
  if (frame % period == period - 1) transform.centreOn({transform.tokens() / 2, transform.tokens() / 3});
}

}  // namespace

std::vector<double> measureMapFrames(std::int64_t tokens, int frames, QSize size) {
  MadeUpTiles tiles(tokens);
  SequenceModel sequence;
  Selection selection;
  selection.setLimits(1, 1, 1, tokens);
  AttentionMapView view(tiles, sequence, selection);
  view.resize(size);
  QImage screen(size, QImage::Format_RGB32);
  std::vector<double> times;
  for (int frame = 0; frame < frames; ++frame) {
    QElapsedTimer clock;
    clock.start();
    move(view, frame);
    selection.hover(TokenPos(static_cast<std::int32_t>(frame % tokens)),
                    TokenPos(static_cast<std::int32_t>(tokens - 1)));
    view.render(&screen);
    times.push_back(static_cast<double>(clock.nsecsElapsed()) / nanosecondsPerMs);
    tiles.deliver();
  }
  return times;
}

}  // namespace natscope::ui
