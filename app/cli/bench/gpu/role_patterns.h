// SPDX-License-Identifier: GPL-3.0-or-later
/// Roles that are injected to measure ragged heads, and what they make a cache hold. Nothing here needs a GPU.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cache/role_plan.h"

namespace natscope::bench {

enum class RolePattern : std::uint8_t {
  independent,  ///< every token stays by chance, each head for itself
  bursts,       ///< runs of Locals that a Global ends, so that heads empty at once
  few_full,     ///< one head in eight keeps everything, the others share what is left of the fraction
};
[[nodiscard]] const char* name(RolePattern pattern);  ///< independent, bursts, few_full

/// Window of all patterns: sliding tokens go at once, so a head holds its Globals, and Locals since the last of them.
inline constexpr std::int64_t pattern_window = 0;

/// Roles with which the cache holds about `fraction` (0 … 1) of all tokens, the same on every machine. Under few_full
/// and below one eighth the full heads keep eight times the fraction in place of everything.
[[nodiscard]] RoleArray pattern_roles(RolePattern pattern, std::int32_t layers, std::int32_t kv_heads,
                                      std::int64_t length, double fraction);

/// Entries that each head of one layer holds after the last token.
[[nodiscard]] std::vector<std::int64_t> held_at_end(const RoleArray& roles, std::int32_t layer, std::int64_t window);
/// Keys that all queries of one layer's heads see together, themselves included: what attention has to compute.
[[nodiscard]] std::int64_t visible_pairs(const RoleArray& roles, std::int32_t layer, std::int64_t window);

/// Tokens of a dense cache that holds as many bytes (rounded to the nearest token, at least 1), and of one that is
/// padded to the fullest head.
[[nodiscard]] std::int64_t tokens_of_equal_bytes(std::span<const std::int64_t> held);
[[nodiscard]] std::int64_t tokens_of_fullest(std::span<const std::int64_t> held);

}  // namespace natscope::bench
