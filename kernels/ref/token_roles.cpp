// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/token_roles.h"

#include <algorithm>
#include <vector>

#include "kernels/attention_statistics.h"

namespace natscope::kernels {

namespace {

bool is_role(Role role) { return static_cast<int>(role) < role_count; }

}  // namespace

Status next_globals(std::span<const Role> roles, std::span<std::int32_t> next_global) {
  if (roles.size() != next_global.size()) return {StatusCode::shape_mismatch, "next_global: one number a token"};
  std::int32_t next = no_next_global;
  for (std::size_t n = roles.size(); n-- > 0;) {
    next_global[n] = next;
    if (roles[n] == Role::global) next = static_cast<std::int32_t>(n);
  }
  return {};
}

Status held_entries(std::span<const Role> roles, std::int64_t window, std::span<std::int32_t> held) {
  if (roles.size() != held.size()) return {StatusCode::shape_mismatch, "held: one number a token"};
  if (window < 0) return {StatusCode::invalid_argument, "window: not below 0"};
  if (!std::all_of(roles.begin(), roles.end(), is_role)) return {StatusCode::invalid_argument, "roles: 0, 1 or 2"};

  std::int32_t globals = 0;
  std::int32_t locals = 0;  // since the last global token
  std::int32_t sliding = 0;
  for (std::size_t t = 0; t < roles.size(); ++t) {
    // held_after: a sliding token n is still there after t when n + W >= t + 1, so at t the one at t - W goes.
    if (window > 0 && static_cast<std::int64_t>(t) >= window &&
        roles[t - static_cast<std::size_t>(window)] == Role::sliding)
      --sliding;
    switch (roles[t]) {
      case Role::global:
        ++globals;
        locals = 0;
        break;
      case Role::local:
        ++locals;
        break;
      case Role::sliding:
        if (window > 0) ++sliding;
        break;
    }
    held[t] = globals + locals + sliding;
  }
  return {};
}

Status visibility(std::span<const Role> roles, std::int64_t window, View<std::uint8_t, 2> seen) {
  const auto tokens = static_cast<std::int64_t>(roles.size());
  if (seen.size(0) != tokens || seen.size(1) != tokens) return {StatusCode::shape_mismatch, "seen: [T, T]"};
  if (window < 0) return {StatusCode::invalid_argument, "window: not below 0"};
  if (!std::all_of(roles.begin(), roles.end(), is_role)) return {StatusCode::invalid_argument, "roles: 0, 1 or 2"};

  window = std::min(window, tokens);  // a longer one is the sequence: keeps position + window within 64 bits
  // Column by column from the end, so that next_global is at hand without an array of its own.
  std::int32_t next = no_next_global;
  for (std::int64_t n = tokens; n-- > 0;) {
    const Role role = roles[static_cast<std::size_t>(n)];
    const TokenPos key(static_cast<std::int32_t>(n));
    for (std::int64_t m = 0; m < tokens; ++m) {
      seen(m, n) = visible(role, key, TokenPos(static_cast<std::int32_t>(m)), next, window) ? 1 : 0;
    }
    if (role == Role::global) next = key.value;
  }
  return {};
}

std::array<std::int64_t, role_count> role_counts(std::span<const Role> roles) {
  std::array<std::int64_t, role_count> counts{};
  for (const Role role : roles) {
    if (is_role(role)) ++counts[static_cast<std::size_t>(role)];
  }
  return counts;
}

}  // namespace natscope::kernels
