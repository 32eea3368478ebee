// SPDX-License-Identifier: GPL-3.0-or-later
/// Whether a recorded run's counts are what its roles, or what was dropped, leave: a file that contradicts itself has
/// no number that could be quoted. Private to core/session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/held_tally.h"
#include "core/explore/sequence_record.h"

namespace natscope::session {

class HeldCheck {
 public:
  /// What says how much is held.
  enum class By : std::uint8_t { roles, dropped, nothing };

  /// `code`: of its errors. `window`: W of the roles; 0 where there is none.
  HeldCheck(By by, std::int64_t window, std::size_t heads, std::int32_t kv_heads, ErrorCode code)
      : by_(by), kv_heads_(kv_heads), code_(code), tallies_(heads, HeldTally(window)), left_(heads, 0) {}

  /// The next token. roles, entries [heads], layer by layer; `dropped` lie in these layers and heads.
  /// Errors: `code` (a count is another; names the head).
  [[nodiscard]] Expected<void> add(std::span<const Role> roles, std::span<const EvictedEntry> dropped,
                                   std::span<const std::int32_t> entries);
  /// What the paper counts of the tokens so far, over all heads: W + held globals + held locals each.
  [[nodiscard]] std::int64_t paper_entries() const;

 private:
  By by_;
  std::int32_t kv_heads_;
  ErrorCode code_;
  std::int64_t tokens_ = 0;
  std::vector<HeldTally> tallies_;
  std::vector<std::int64_t> left_;  // by what was dropped
};

}  // namespace natscope::session
