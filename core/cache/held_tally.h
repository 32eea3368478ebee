// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/token_roles.h"

namespace natscope {

/// What one head holds after each token, counted along from the roles alone: the rows of a prompt that went through the
/// cache in chunks are what the same tokens fed one by one would hold.
///
///   HeldTally tally(window);
///   for (t …) entries[t] = tally.add(role[t]);
///
/// Cost: O(1) a token, one byte kept for each. Source: section 5 of the rules; kernels::held_entries says the same for
/// a whole sequence at once.
class HeldTally {
 public:
  explicit HeldTally(std::int64_t window) : window_(window) {}

  /// The next token's role. Returns the entries held after it.
  std::int64_t add(Role role);

  [[nodiscard]] std::int64_t entries() const { return globals_ + locals_ + sliding_; }
  /// What the paper counts: its ring of W slots whole, whatever is in it.
  [[nodiscard]] std::int64_t paper_entries() const { return window_ + globals_ + locals_; }

 private:
  std::int64_t window_;
  std::int64_t globals_ = 0;
  std::int64_t locals_ = 0;   // with no global after them
  std::int64_t sliding_ = 0;  // among the last W tokens
  std::vector<Role> roles_;
};

}  // namespace natscope
