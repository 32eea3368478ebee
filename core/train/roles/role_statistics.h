// SPDX-License-Identifier: GPL-3.0-or-later
/// What the roles of a batch come to: shares, and the cache that they would leave at the end of a segment.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/token_roles.h"

namespace natscope::train {

/// Sums over segments for one (layer, KV head).
struct HeadRoles {
  std::array<std::int64_t, role_count> tokens{};  ///< G, L, S
  std::int64_t held = 0;                          ///< entries after each segment's last token
  std::int64_t dense = 0;                         ///< what full attention would hold

  void add(const HeadRoles& other);
};

/// For every (layer, KV head), index layer · kv_heads + head.
struct RoleStatistics {
  std::vector<HeadRoles> heads;

  void add(const RoleStatistics& other);
  [[nodiscard]] HeadRoles total() const;
};

/// Share of one role among all tokens; 0 when there are none.
[[nodiscard]] double share(const HeadRoles& roles, Role role);
/// held / dense, the KV fraction at the last token (the rules, section 5).
[[nodiscard]] double kv_fraction(const HeadRoles& roles);

/// Adds one segment of one head: roles [T]. Of roles that were sampled leave out the last: it is Global by the rules,
/// whatever was drawn, and would end every Local before it.
void count_segment(std::span<const Role> roles, std::int64_t window, HeadRoles& sums);

}  // namespace natscope::train
