// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/explore/sequence_record.h"

namespace natscope {

/// Why an entry left a head, or that it is still there.
enum class EntryFate : std::uint8_t {
  held,               ///< still in the cache
  ended_by_global,    ///< a local, and a global token came
  left_window,        ///< a sliding token, W tokens later
  evicted_by_policy,  ///< it was dropped where no roles decide (has_roles)
};

/// The life of one token in one head; `dropped_after` is unset while it is held.
struct Lifeline {
  TokenPos born;
  Role role = Role::global;
  EntryFate fate = EntryFate::held;
  std::optional<TokenPos> dropped_after;  ///< the step after which it was gone
  std::optional<TokenPos> ended_by;       ///< the global token that ended a local
};

/// Cost: O(1) from the record's next_global. Errors: bad_layer, bad_head, bad_position.
[[nodiscard]] Expected<Lifeline> lifeline_of(const SequenceRecord& record, LayerId layer, KvHeadId kv_head,
                                             TokenPos position);

/// One sentence for a person: "local, dropped after 58, which became global and ended it". Without the role where a
/// policy has none (has_roles): "dropped after 58, evicted by the policy".
[[nodiscard]] std::string describe(const Lifeline& lifeline, bool has_role = true);

/// Share of all (layer, KV head) pairs that still hold the token after the last one of the record, 0 … 1.
[[nodiscard]] double held_share(const SequenceRecord& record, TokenPos position);
/// The same for the tokens begin … end - 1, which the record has: [end - begin]. Cost: each head's tokens are read in a
/// row.
[[nodiscard]] std::vector<double> held_shares(const SequenceRecord& record, TokenPos begin, TokenPos end);

}  // namespace natscope
