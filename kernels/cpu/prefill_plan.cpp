// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/prefill_plan.h"

#include <algorithm>
#include <limits>

namespace natscope::kernels::cpu {

namespace {

constexpr std::int32_t never = std::numeric_limits<std::int32_t>::max();

std::int32_t capped(std::int64_t position) {
  return static_cast<std::int32_t>(std::min<std::int64_t>(position, never));
}

/// The cache's entries by role; locals of the cache end at the chunk's first global token.
void take_cached(const KvCache& cache, LayerId layer, KvHeadId kv_head, std::int32_t first_global,
                 std::array<std::vector<PrefillKey>, role_count>& by_role) {
  const std::int64_t row_bytes = cache.shape().head_dim * element_bytes(cache.shape().dtype);
  for (std::int64_t index = 0; index < cache.page_count(layer, kv_head); ++index) {
    const KvPage page = cache.page(layer, kv_head, index);
    const auto* keys = static_cast<const std::byte*>(page.keys);
    const auto* values = static_cast<const std::byte*>(page.values);
    for (std::int64_t slot = 0; slot < page.count; ++slot) {
      const TokenPos position(page.positions[slot]);
      const Role role = page.roles[slot];
      const std::int64_t last = last_query_that_sees(role, position, first_global, cache.window());
      by_role[static_cast<std::size_t>(role)].push_back(
          {keys + slot * row_bytes, values + slot * row_bytes, position.value, capped(last), false});
    }
  }
  // Slots are in no order; sliding entries leave one by one, and so have to stand by position.
  std::vector<PrefillKey>& sliding = by_role[static_cast<std::size_t>(Role::sliding)];
  std::sort(sliding.begin(), sliding.end(),
            [](const PrefillKey& a, const PrefillKey& b) { return a.position < b.position; });
}

}  // namespace

PrefillKeys::PrefillKeys(ConstView<float, 3> keys, ConstView<float, 3> values, ConstView<Role, 2> roles,
                         const KvCache& cache, LayerId layer, KvHeadId kv_head, TokenPos first) {
  const std::int64_t chunk = keys.size(1);
  const std::int64_t head = kv_head.value;
  std::vector<std::int32_t> next(static_cast<std::size_t>(chunk) + 1,
                                 no_next_global);  // [n]: of what stands before row n
  for (std::int64_t n = chunk; n-- > 0;) {
    const auto at = static_cast<std::size_t>(n);
    next[at] = roles(head, n) == Role::global ? first.value + static_cast<std::int32_t>(n) : next[at + 1];
  }

  std::array<std::vector<PrefillKey>, role_count> by_role;
  take_cached(cache, layer, kv_head, next[0], by_role);
  for (std::int64_t n = 0; n < chunk; ++n) {
    const TokenPos position(first.value + static_cast<std::int32_t>(n));
    const Role role = roles(head, n);
    const std::int64_t last =
        last_query_that_sees(role, position, next[static_cast<std::size_t>(n) + 1], cache.window());
    by_role[static_cast<std::size_t>(role)].push_back(
        {&keys(head, n, 0), &values(head, n, 0), position.value, capped(last), true});
  }

  for (std::size_t role = 0; role < by_role.size(); ++role) {
    const std::vector<PrefillKey>& some = by_role[role];
    begin_[role] = static_cast<std::int64_t>(keys_.size());
    keys_.insert(keys_.end(), some.begin(), some.end());
    end_[role] = static_cast<std::int64_t>(keys_.size());
    if (some.empty()) continue;
    PrefillKey nobody = some.back();  // its numbers may be read, and count for nothing
    nobody.position = never;
    nobody.last = -1;
    keys_.resize((keys_.size() + key_block - 1) / key_block * key_block, nobody);
  }
}

PrefillRange PrefillKeys::range(Role role, std::int64_t first, std::int64_t last) const {
  const auto begin = keys_.begin() + begin_[static_cast<std::size_t>(role)];
  const auto end = keys_.begin() + end_[static_cast<std::size_t>(role)];
  // Cached entries of one role that is not sliding stand in the order of their slots: all of them come before the chunk.
  const auto begun_by = [&](std::int64_t query) {
    return std::partition_point(begin, end,
                                [&](const PrefillKey& key) { return !key.in_chunk || key.position <= query; });
  };
  const auto seen_from = [&](std::int64_t query) {
    return std::partition_point(begin, end, [&](const PrefillKey& key) { return key.last < query; });
  };
  PrefillRange range{seen_from(first) - keys_.begin(), begun_by(last) - keys_.begin(), seen_from(last) - keys_.begin(),
                     begun_by(first) - keys_.begin()};
  range.end = std::max(range.begin, range.end);
  return range;
}

}  // namespace natscope::kernels::cpu
