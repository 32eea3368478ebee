// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/role_statistics.h"

namespace natscope::train {

void HeadRoles::add(const HeadRoles& other) {
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] += other.tokens[i];
  held += other.held;
  dense += other.dense;
}

void RoleStatistics::add(const RoleStatistics& other) {
  if (heads.size() < other.heads.size()) heads.resize(other.heads.size());
  for (std::size_t i = 0; i < other.heads.size(); ++i) heads[i].add(other.heads[i]);
}

HeadRoles RoleStatistics::total() const {
  HeadRoles sum;
  for (const HeadRoles& head : heads) sum.add(head);
  return sum;
}

double share(const HeadRoles& roles, Role role) {
  const std::int64_t all = roles.tokens[0] + roles.tokens[1] + roles.tokens[2];
  return all == 0 ? 0.0 : static_cast<double>(roles.tokens[static_cast<std::size_t>(role)]) / static_cast<double>(all);
}

double kv_fraction(const HeadRoles& roles) {
  return roles.dense == 0 ? 0.0 : static_cast<double>(roles.held) / static_cast<double>(roles.dense);
}

void count_segment(std::span<const Role> roles, std::int64_t window, HeadRoles& sums) {
  const auto length = static_cast<std::int32_t>(roles.size());
  const TokenPos last(length - 1);
  std::int32_t next_global = no_next_global;
  for (std::int32_t n = length - 1; n >= 0; --n) {
    const Role role = roles[static_cast<std::size_t>(n)];
    ++sums.tokens[static_cast<std::size_t>(role)];
    if (held_after(role, TokenPos(n), last, next_global, window)) ++sums.held;
    if (role == Role::global) next_global = n;
  }
  sums.dense += length;
}

}  // namespace natscope::train
