// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "kernels/ids.h"
#include "kernels/status.h"
#include "kernels/views.h"

/// Roles of tokens and what they let a query see: the one definition, used by every kernel, the cache, the explorer and
/// the window. Source: Neural Attention Search (arXiv 2502.13251).
namespace natscope {

/// How long the key and value of a token stay, per layer and KV head. The numbers are those of files.
enum class Role : std::uint8_t {
  global = 0,   ///< for ever
  local = 1,    ///< until the next global token, which still sees it
  sliding = 2,  ///< for the next W tokens
};

inline constexpr int role_count = 3;

/// next_global of a token that no global token follows.
inline constexpr std::int32_t no_next_global = std::numeric_limits<std::int32_t>::max();

/// Whether the query at `query` sees the key at `key`, whose role and next global position are given.
/// Cost: a few compares. A token always sees itself; nothing sees the future.
[[nodiscard]] constexpr bool visible(Role role, TokenPos key, TokenPos query, std::int32_t next_global,
                                     std::int64_t window) {
  if (key.value > query.value) return false;
  if (key.value == query.value) return true;
  switch (role) {
    case Role::global:
      return true;
    case Role::local:
      return query.value <= next_global;
    case Role::sliding:
      return query.value <= key.value + window;
  }
  return false;
}

/// Whether the entry of `key` is still held after the token at `now` was processed: it is what a query at now + 1 could
/// see. `next_global` counts only global tokens up to `now` (no_next_global when there is none yet).
[[nodiscard]] constexpr bool held_after(Role role, TokenPos key, TokenPos now, std::int32_t next_global,
                                        std::int64_t window) {
  switch (role) {
    case Role::global:
      return true;
    case Role::local:
      return next_global > now.value;
    case Role::sliding:
      return key.value + window >= static_cast<std::int64_t>(now.value) + 1;
  }
  return false;
}

/// The last position whose query may see the key at `key` (no_next_global: for ever, as far as is known).
[[nodiscard]] constexpr std::int64_t last_query_that_sees(Role role, TokenPos key, std::int32_t next_global,
                                                          std::int64_t window) {
  switch (role) {
    case Role::global:
      return no_next_global;
    case Role::local:
      return next_global;
    case Role::sliding:
      return key.value + window;
  }
  return key.value;
}

/// argmax(scores + [bias, 0, 0]), ties to the lowest index. `scores` in the order G, L, S, finite.
/// Position 0 being global when roles are learned is the caller's rule, not this function's.
[[nodiscard]] constexpr Role role_from_scores(const float* scores, float global_bias) {
  const float biased[role_count] = {scores[0] + global_bias, scores[1], scores[2]};
  int best = 0;
  for (int option = 1; option < role_count; ++option) {
    if (biased[option] > biased[best]) best = option;
  }
  return static_cast<Role>(best);
}

namespace kernels {

/// next_global[n] = the smallest j > n with roles[j] global, no_next_global where there is none.
///   roles [T], next_global [T]. Cost: one pass from the end. Errors: shape_mismatch.
Status next_globals(std::span<const Role> roles, std::span<std::int32_t> next_global);

/// Entries held after each token: held[t] for t in 0 … T-1, as the cache would hold them fed one by one.
///   roles [T], held [T]. Cost: O(T). Errors: shape_mismatch, invalid_argument (window < 0).
/// Source: section 5 of the rules.
Status held_entries(std::span<const Role> roles, std::int64_t window, std::span<std::int32_t> held);

/// The whole mask, for checks and small pictures: seen[m, n] = 1 where query m sees key n.
///   roles [T], seen [T, T]. Errors: shape_mismatch, invalid_argument (window < 0, a role over 2).
Status visibility(std::span<const Role> roles, std::int64_t window, View<std::uint8_t, 2> seen);

}  // namespace kernels
}  // namespace natscope
