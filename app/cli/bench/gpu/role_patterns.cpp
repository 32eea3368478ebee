// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench/gpu/role_patterns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace natscope::bench {
namespace {

constexpr std::int64_t burst_length = 64;
constexpr std::int32_t full_head_every = 8;

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  double next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11U) * 0x1.0p-53;
  }

 private:
  std::uint64_t state_;
};

/// Globals by chance; in `bursts` a run of Locals stands before each of a tenth of them.
void fill_head(std::span<Role> head, RolePattern pattern, double fraction, Chance& chance) {
  for (Role& role : head) role = chance.next() < fraction ? Role::global : Role::sliding;
  if (pattern != RolePattern::bursts) return;
  const auto size = static_cast<std::int64_t>(head.size());
  std::int64_t token = 0;
  while (token < size) {
    // As many tokens in bursts as outside of them; a Global after the burst drops all of it.
    token += 1 + static_cast<std::int64_t>(chance.next() * 2 * burst_length);
    const std::int64_t end = std::min(size, token + burst_length);
    for (; token < end; ++token) head[static_cast<std::size_t>(token)] = Role::local;
    if (token < size) head[static_cast<std::size_t>(token)] = Role::global;
  }
}

double fraction_of_head(RolePattern pattern, std::int32_t kv_head, std::int32_t kv_heads, double fraction) {
  if (pattern != RolePattern::few_full) return fraction;
  const double full = (kv_heads + full_head_every - 1) / full_head_every;
  const double share = std::min(1.0, fraction * kv_heads / full);
  if (kv_head % full_head_every == 0) return share;
  return std::max(0.0, (fraction * kv_heads - full * share) / (kv_heads - full));
}

std::span<const Role> head_of(const RoleArray& roles, std::int32_t layer, std::int32_t head) {
  const auto length = static_cast<std::size_t>(roles.length);
  return std::span(roles.roles).subspan(static_cast<std::size_t>(layer * roles.kv_heads + head) * length, length);
}

std::vector<std::int32_t> held_by_head(std::span<const Role> roles, std::int64_t window) {
  std::vector<std::int32_t> held(roles.size());
  // Sizes and roles are this file's own.
  if (!kernels::held_entries(roles, window, held).ok()) held.clear();
  return held;
}

}  // namespace

const char* name(RolePattern pattern) {
  switch (pattern) {
    case RolePattern::independent:
      return "independent";
    case RolePattern::bursts:
      return "bursts";
    case RolePattern::few_full:
      return "few_full";
  }
  return "";
}

RoleArray pattern_roles(RolePattern pattern, std::int32_t layers, std::int32_t kv_heads, std::int64_t length,
                        double fraction) {
  RoleArray roles{layers, kv_heads, length, {}};
  const auto size = static_cast<std::size_t>(length);
  roles.roles.resize(static_cast<std::size_t>(layers) * static_cast<std::size_t>(kv_heads) * size);
  Chance chance(1);
  for (std::size_t head = 0; head < roles.roles.size() / std::max<std::size_t>(size, 1); ++head) {
    const auto kv_head = static_cast<std::int32_t>(head % static_cast<std::size_t>(kv_heads));
    fill_head(std::span(roles.roles).subspan(head * size, size), pattern,
              fraction_of_head(pattern, kv_head, kv_heads, fraction), chance);
  }
  return roles;
}

std::vector<std::int64_t> held_at_end(const RoleArray& roles, std::int32_t layer, std::int64_t window) {
  std::vector<std::int64_t> held;
  for (std::int32_t head = 0; head < roles.kv_heads; ++head) {
    const auto after = held_by_head(head_of(roles, layer, head), window);
    held.push_back(after.empty() ? 0 : after.back());
  }
  return held;
}

std::int64_t visible_pairs(const RoleArray& roles, std::int32_t layer, std::int64_t window) {
  std::int64_t pairs = 0;
  for (std::int32_t head = 0; head < roles.kv_heads; ++head) {
    const auto after = held_by_head(head_of(roles, layer, head), window);
    // A query sees what was held before it, and itself.
    for (std::size_t token = 0; token < after.size(); ++token) pairs += 1 + (token > 0 ? after[token - 1] : 0);
  }
  return pairs;
}

std::int64_t tokens_of_equal_bytes(std::span<const std::int64_t> held) {
  if (held.empty()) return 1;
  const auto sum = static_cast<double>(std::accumulate(held.begin(), held.end(), std::int64_t{0}));
  return std::max<std::int64_t>(1, std::llround(sum / static_cast<double>(held.size())));
}

std::int64_t tokens_of_fullest(std::span<const std::int64_t> held) {
  return held.empty() ? 1 : std::max<std::int64_t>(1, *std::max_element(held.begin(), held.end()));
}

}  // namespace natscope::bench
