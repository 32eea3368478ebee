// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

#include "ui/models/tile_source.h"

namespace natscope::ui {

/// Tiles computed from a function of (query, key): below 0 is masked. Cells above the diagonal are left empty.
class MadeUpTiles : public TileSource {
 public:
  using Weights = std::function<float(std::int64_t query, std::int64_t key)>;
  MadeUpTiles(qint64 tokens, Weights weights) : tokens_(tokens), weights_(std::move(weights)) {}

  bool answersLate = false;
  std::vector<TileKey> asked;
  std::vector<TileKey> later;
  std::function<bool(LayerId layer, HeadId head)> missing;
  QString noneCome;  // why

  [[nodiscard]] qint64 tokens() const override { return tokens_; }

  [[nodiscard]] std::shared_ptr<const AttentionTile> tile(const TileKey& key) override {
    if (const auto found = here_.find(key); found != here_.end()) return found->second;
    asked.push_back(key);
    if (answersLate) return nullptr;
    return here_[key] = made(key);
  }

  [[nodiscard]] std::shared_ptr<const AttentionTile> cached(const TileKey& key) const override {
    const auto found = here_.find(key);
    return found == here_.end() ? nullptr : found->second;
  }

  [[nodiscard]] QString whyNoTiles() const override { return noneCome; }

  void fetchLater(const std::vector<TileKey>& keys, const OtherRun&) override { later = keys; }

  [[nodiscard]] QString whyNoMap(LayerId layer, HeadId head) const override {
    return missing && missing(layer, head) ? QStringLiteral("not recorded") : QString();
  }

  /// Hands over the first of those that can wait.
  void deliverLater(std::size_t count = 1'000'000) {
    for (; count > 0 && !later.empty(); --count) {
      const TileKey key = later.front();
      later.erase(later.begin());
      Q_EMIT arrivedLater(made(key));
    }
  }

  /// More tokens of the same text, and another text.
  void grow(qint64 tokens) {
    tokens_ = tokens;
    here_.clear();
  }
  void replace(qint64 tokens) {
    grow(tokens);
    later.clear();
    Q_EMIT reset();
  }

  void deliver() {
    for (const TileKey& key : std::exchange(asked, {})) {
      here_[key] = made(key);
      Q_EMIT arrived(key);
    }
  }

 private:
  [[nodiscard]] std::shared_ptr<const AttentionTile> made(const TileKey& key) const {
    const std::int64_t side = std::int64_t{1} << key.zoom;
    const auto cells = [&](std::int32_t tile) {
      const std::int64_t left = tokens_ - std::int64_t{tile} * tile_cells * side;
      return static_cast<std::int32_t>(std::clamp<std::int64_t>((left + side - 1) / side, 0, tile_cells));
    };
    auto tile = std::make_shared<AttentionTile>();
    tile->key = key;
    tile->tokens = tokens_;
    tile->rows = cells(key.row);
    tile->columns = cells(key.column);
    for (int row = 0; row < tile->rows; ++row) {
      for (int column = 0; column < tile->columns; ++column) {
        const std::int64_t query = (std::int64_t{key.row} * tile_cells + row) * side;
        const std::int64_t first = (std::int64_t{key.column} * tile_cells + column) * side;
        const float weight = first <= query ? weights_(query, first) : -1.0F;
        tile->maximum.push_back(std::max(0.0F, weight));
        tile->mean.push_back(std::max(0.0F, weight));
        tile->visible_share.push_back(weight >= 0 ? 1.0F : 0.0F);
      }
    }
    return tile;
  }

  qint64 tokens_;
  Weights weights_;
  std::map<TileKey, std::shared_ptr<const AttentionTile>> here_;
};

}  // namespace natscope::ui
