// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bridge/tile_wishes.h"

#include <algorithm>
#include <utility>

namespace natscope::ui {

void TileWishes::wish(const TileKey& key) {
  const auto isThisKey = [&key](const auto& entry) { return entry.second.key == key; };
  if (const auto asked = std::find_if(onTheirWay_.begin(), onTheirWay_.end(), isThisKey); asked != onTheirWay_.end()) {
    asked->second.isOvertaken = false;  // who was passed is looked at again
    return;
  }
  std::erase(waiting_, key);
  if (waiting_.size() >= maxWaiting) waiting_.erase(waiting_.begin());
  waiting_.push_back(key);
}

void TileWishes::wishLater(const std::vector<TileKey>& keys) { later_.assign(keys.rbegin(), keys.rend()); }

std::optional<TileKey> TileWishes::take(std::uint64_t id, bool alsoLater) {
  const bool canWait = waiting_.empty();
  if (canWait ? !alsoLater || later_.empty() || !onTheirWay_.empty() : onTheirWay_.size() >= maxOnTheirWay)
    return std::nullopt;
  std::vector<TileKey>& from = canWait ? later_ : waiting_;
  const TileKey key = from.back();
  from.pop_back();
  onTheirWay_.emplace(id, Asked{key, canWait});
  return key;
}

std::vector<std::uint64_t> TileWishes::overtaken() {
  std::vector<std::uint64_t> ids;
  if (waiting_.empty()) return ids;
  for (auto& [id, asked] : onTheirWay_) {
    if (asked.key.layer == waiting_.back().layer || std::exchange(asked.isOvertaken, true)) continue;
    ids.push_back(id);
  }
  return ids;
}

bool TileWishes::canWait(std::uint64_t id) const {
  const auto found = onTheirWay_.find(id);
  return found != onTheirWay_.end() && found->second.canWait;
}

bool TileWishes::answered(std::uint64_t id) { return onTheirWay_.erase(id) > 0; }

bool TileWishes::again(std::uint64_t id) {
  const auto found = onTheirWay_.find(id);
  if (found == onTheirWay_.end()) return false;
  const Asked asked = found->second;
  onTheirWay_.erase(found);
  if (asked.canWait)
    later_.push_back(asked.key);
  else if (!asked.isOvertaken)
    wish(asked.key);
  return true;
}

void TileWishes::clear() {
  waiting_.clear();
  later_.clear();
  onTheirWay_.clear();
}

}  // namespace natscope::ui
