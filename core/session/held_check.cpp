// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/session/held_check.h"

#include <string>

namespace natscope::session {

Expected<void> HeldCheck::add(std::span<const Role> roles, std::span<const EvictedEntry> dropped,
                              std::span<const std::int32_t> entries) {
  const std::int64_t token = tokens_++;
  for (std::size_t head = 0; head < tallies_.size(); ++head) {
    tallies_[head].add(roles[head]);
    ++left_[head];
  }
  for (const EvictedEntry& entry : dropped)
    --left_[static_cast<std::size_t>(entry.layer.value) * static_cast<std::size_t>(kv_heads_) +
            static_cast<std::size_t>(entry.kv_head.value)];
  if (by_ == By::nothing) return {};
  for (std::size_t head = 0; head < tallies_.size(); ++head) {
    const std::int64_t held = by_ == By::roles ? tallies_[head].entries() : left_[head];
    if (entries[head] == held) continue;
    const auto kv = static_cast<std::size_t>(kv_heads_);
    return fail(code_, "tensor “kv_entries” says " + std::to_string(entries[head]) + " entries after token " +
                           std::to_string(token) + " in layer " + std::to_string(head / kv) + ", KV head " +
                           std::to_string(head % kv) + ", where its " +
                           (by_ == By::roles ? "roles" : "evicted entries") + " leave " + std::to_string(held));
  }
  return {};
}

std::int64_t HeldCheck::paper_entries() const {
  std::int64_t sum = 0;
  for (const HeldTally& tally : tallies_) sum += tally.paper_entries();
  return sum;
}

}  // namespace natscope::session
