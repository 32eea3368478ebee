// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/tile_wishes.h"

#include <algorithm>

namespace natscope::ui {

void TileWishes::wish(const TileKey& key) {
  const auto isThisKey = [&key](const auto& entry) { return entry.second == key; };
  if (std::any_of(onTheirWay_.begin(), onTheirWay_.end(), isThisKey)) return;
  std::erase(waiting_, key);
  if (waiting_.size() >= maxWaiting) waiting_.erase(waiting_.begin());
  waiting_.push_back(key);
}

std::optional<TileKey> TileWishes::take(std::uint64_t id) {
  if (waiting_.empty() || onTheirWay_.size() >= maxOnTheirWay) return std::nullopt;
  const TileKey key = waiting_.back();
  waiting_.pop_back();
  onTheirWay_.emplace(id, key);
  return key;
}

bool TileWishes::answered(std::uint64_t id) { return onTheirWay_.erase(id) > 0; }

bool TileWishes::again(std::uint64_t id) {
  const auto found = onTheirWay_.find(id);
  if (found == onTheirWay_.end()) return false;
  const TileKey key = found->second;
  onTheirWay_.erase(found);
  wish(key);
  return true;
}

void TileWishes::clear() {
  waiting_.clear();
  onTheirWay_.clear();
}

}  // namespace natscope::ui
