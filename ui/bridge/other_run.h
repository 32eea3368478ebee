// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "core/explore/attention_tile.h"
#include "core/explore/run_figures.h"
#include "core/explore/sequence_record.h"

namespace natscope::ui {

/// Another run of the text that is shown: what the weights of a whole map are compared with (AttentionSummary::lost).
struct OtherRun {
  std::uint64_t id = 0;  ///< as AttentionTile::compared_run; 0: there is none
  SequenceRecord record{};
  std::int32_t heads = 0;   ///< query heads a layer
  std::int64_t tokens = 0;  ///< that both runs have from the beginning

  /// Until when it held each of those tokens, in the KV head that the tile's head reads; as long as this is there.
  [[nodiscard]] std::span<const std::int32_t> schedule(const TileKey& key) const {
    if (id == 0) return {};
    return schedule_of(record, heads, key.layer, key.head, tokens);
  }
};

}  // namespace natscope::ui
