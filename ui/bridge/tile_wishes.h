// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/explore/attention_tile.h"

namespace natscope::ui {

/// Which tiles are wanted and which are on their way. The newest wish comes first: it is what is on screen now.
class TileWishes {
 public:
  /// Few tiles are on their way at any time, so that what was scrolled away is hardly computed.
  static constexpr std::size_t maxOnTheirWay = 4;
  /// Older wishes fall off the end.
  static constexpr std::size_t maxWaiting = 1024;

  /// A tile that is on its way is not wished for again; one that waits moves to the front.
  void wish(const TileKey& key);
  /// Replaces the wishes that can wait: they are served in this order, one at a time, while there is no other.
  void wishLater(const std::vector<TileKey>& keys);
  /// The next tile to ask for under this request id, or nothing to do now. `alsoLater`: this is a time for those that
  /// can wait.
  std::optional<TileKey> take(std::uint64_t id, bool alsoLater = true);
  /// Requests for tiles of other layers than that of the newest wish, each once: to be stopped, as the engine may be
  /// reading the whole text again for them.
  [[nodiscard]] std::vector<std::uint64_t> overtaken();
  /// Whether what this request asks for was among those that can wait.
  [[nodiscard]] bool canWait(std::uint64_t id) const;
  /// The request was answered. False when it is not one of ours.
  bool answered(std::uint64_t id);
  /// The request came to nothing and is wished for again, unless it was overtaken. False when it is not one of ours.
  bool again(std::uint64_t id);

  void dropWaiting() { waiting_.clear(); }
  void dropLater() { later_.clear(); }
  void clear();

 private:
  std::vector<TileKey> waiting_;  // newest last
  std::vector<TileKey> later_;    // next one last
  struct Asked {
    TileKey key;
    bool canWait = false;
    bool isOvertaken = false;
  };
  std::map<std::uint64_t, Asked> onTheirWay_;
};

}  // namespace natscope::ui
