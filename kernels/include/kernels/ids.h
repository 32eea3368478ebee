// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <compare>
#include <cstdint>

/// Whole numbers that mean different things and must not mix: a slot taken for a position is the bug of sparse caches.
namespace natscope {

/// A whole number with a meaning. Converts neither to nor from another one; `value` is the number itself.
template <class Tag>
struct Id {
  std::int32_t value = 0;

  constexpr Id() = default;
  constexpr explicit Id(std::int32_t number) : value(number) {}
  friend constexpr auto operator<=>(Id, Id) = default;
};

using TokenPos = Id<struct TokenPosTag>;  ///< position of a token in its sequence, from 0
using LayerId = Id<struct LayerIdTag>;    ///< layer, from 0
using HeadId = Id<struct HeadIdTag>;      ///< query head inside a layer, from 0
using KvHeadId = Id<struct KvHeadIdTag>;  ///< key/value head inside a layer, from 0
using SlotId = Id<struct SlotIdTag>;      ///< place of an entry inside the cache of one (layer, KV head)

/// The KV head whose keys a query head reads: g = heads / kv_heads neighbouring query heads share one.
[[nodiscard]] constexpr KvHeadId kv_head_of(HeadId head, std::int32_t heads, std::int32_t kv_heads) {
  return KvHeadId(head.value / (heads / kv_heads));
}

}  // namespace natscope
