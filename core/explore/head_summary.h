// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/explore/sequence_record.h"

namespace natscope {

/// What one (layer, KV head) did with the tokens of a sequence so far: the one definition of a head's figures, for the
/// window's table and the command line alike.
struct HeadSummary {
  LayerId layer;
  KvHeadId kv_head;
  std::int64_t tokens = 0;                             ///< T
  std::array<std::int64_t, role_count> role_tokens{};  ///< how many of the T tokens have each role
  std::int64_t entries = 0;                            ///< held after the last token
  std::int64_t locals_held = 0;                        ///< Locals among them
  /// Sum over all Locals n of min(last query that sees n, T − 1) − n: how many later tokens each could be seen by so
  /// far. A Local that is still held counts with its age, so the mean is a lower bound while locals_held > 0.
  std::int64_t local_life_tokens = 0;

  [[nodiscard]] double role_share(Role role) const;  ///< 0 … 1 of the T tokens; 0 without tokens
  [[nodiscard]] double kv_fraction() const;          ///< entries / T (the rules, section 5, for one head)
  [[nodiscard]] double mean_local_life() const;      ///< in tokens; 0 where no token is Local

  friend bool operator==(const HeadSummary&, const HeadSummary&) = default;
};

/// All heads of a record, layer by layer. Cost: O(layers · kv_heads), however long it is.
[[nodiscard]] std::vector<HeadSummary> head_summaries(const SequenceRecord& record);

}  // namespace natscope
