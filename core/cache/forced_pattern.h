// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/cache/forced_role.h"

namespace natscope {

/// The most roles that can be set one by one: what files' metadata hold and a window can show.
inline constexpr std::size_t most_forced_roles = 65536;

/// What a person writes: "L.K.N=G", where L and K may be `*` for every layer and every KV head, and the letter may be
/// a small one.
struct ForcedPattern {
  std::optional<LayerId> layer;     ///< none: all
  std::optional<KvHeadId> kv_head;  ///< none: all
  TokenPos position;
  Role role = Role::global;

  friend bool operator==(const ForcedPattern&, const ForcedPattern&) = default;
};

[[nodiscard]] std::optional<ForcedPattern> parse_forced_pattern(std::string_view text);

/// The roles that a pattern sets in a model of so many layers and KV heads, layer by layer.
[[nodiscard]] std::vector<ForcedRole> forced_roles(const ForcedPattern& pattern, std::int32_t layers,
                                                   std::int32_t kv_heads);

}  // namespace natscope
