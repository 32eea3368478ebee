// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/kv_append.h"

/// ScoreRule on one head, for the device and for the CPU test: which entry goes, and what moves into its
/// place. Runs after an append of one token and before the next one; a `Team` as in kv_append.h, which besides can
/// join: see below.
namespace natscope::kernels::cuda {

/// The entry that would go first of some entries, and how many of them the rule does not keep for being recent.
struct LightestEntry {
  std::int32_t older;
  std::int32_t slot;  ///< −1: none of them could go
  std::int32_t position;
  float score;

  [[nodiscard]] NATSCOPE_HD static LightestEntry none() { return {0, -1, 0, 0.0F}; }
  /// Of both. Of equal scores the earlier position stays.
  [[nodiscard]] NATSCOPE_HD static LightestEntry join(const LightestEntry& a, const LightestEntry& b) {
    const bool b_goes =
        b.slot >= 0 && (a.slot < 0 || b.score < a.score || (b.score == a.score && b.position > a.position));
    LightestEntry first = b_goes ? b : a;
    first.older = a.older + b.older;
    return first;
  }
};

/// Takes one entry out: the last one of its role comes into its place, and of each role behind the last one into the
/// hole that is left, so that roles keep following each other without one. A page that becomes empty is free at once.
template <class Team>
NATSCOPE_HD void drop_entry(const Team& team, const KvHeadPages& head, std::int32_t slot) {
  const KvArena& arena = *head.arena;
  const KvHeadState before = *head.state;
  team.each(0, [](std::int32_t) {});  // everybody has read it before one thread writes it
  KvHeadState after = before;
  std::int32_t hole = slot;
  std::int32_t end = 0;
  for (int role = 0; role < role_count; ++role) {
    const std::int32_t begin = end;
    end += before.held[role];
    if (end == begin || end <= slot) continue;
    if (begin <= slot) --after.held[role];
    const std::int32_t last = end - 1;
    if (last != hole) move_entries(team, head, &last, &hole, 1);
    hole = last;
  }
  after.pages = arena.pages_for(after.entries());
  team.each(1, [&](std::int32_t) {
    if (after.pages < before.pages) arena.free_pages[fetch_add(arena.stock->free, 1)] = head.table[after.pages];
    *head.state = after;
  });
}

/// Drops many entries of a head that holds globals alone: its first `kept` slots stay, and into `count` holes to[i]
/// among them come the entries from[i] behind. Pages that become empty are free once they are taken back.
template <class Team>
NATSCOPE_HD void keep_slots(const Team& team, AppendShared& shared, const KvHeadPages& head, std::int32_t kept,
                            const std::int32_t* from, const std::int32_t* to, std::int32_t count) {
  const KvArena& arena = *head.arena;
  const std::int32_t pages_before = head.state->pages;
  const std::int32_t pages = arena.pages_for(kept);
  const std::int32_t empty = pages_before - pages;
  move_entries(team, head, from, to, count);
  team.each(0, [](std::int32_t) {});  // everybody has read the state before one thread writes it
  team.each(1, [&](std::int32_t) {
    shared.first_page = fetch_add(arena.stock->returned, empty);
    head.state->held[0] = kept;
    head.state->pages = pages;
  });
  team.each(empty,
            [&](std::int32_t index) { arena.returned_pages[shared.first_page + index] = head.table[pages + index]; });
}

/// What comes first where scores are the last query's, over the heads of a layer (EntryScores): each head's entries get
/// the sums of all, the newest token's own weights, self_scores(kv_head), among them. All heads hold the same positions
/// in the same slots, for they took the same tokens and dropped the same ones.
template <class Team, class SelfScores>
NATSCOPE_HD void share_scores(const Team& team, const KvArena& arena, std::int64_t layer,
                              const SelfScores& self_scores) {
  const KvHeadPages first(arena, layer, 0);
  const std::int32_t now = first.state->next_position - 1;
  team.each(first.state->entries(), [&](std::int32_t slot) {
    const bool is_new = first.position(slot) == now;
    float sum = 0;
    for (std::int32_t kv_head = 0; kv_head < arena.kv_heads; ++kv_head)
      sum += is_new ? self_scores(kv_head) : KvHeadPages(arena, layer, kv_head).scores[slot];
    for (std::int32_t kv_head = 0; kv_head < arena.kv_heads; ++kv_head)
      KvHeadPages(arena, layer, kv_head).scores[slot] = sum;
  });
}

/// The rule after the newest token, whose own weights are its score (where they are not among what share_scores added
/// up already): the position that went, or no_drop. Where one has to go that is `prescribed`, if it can; no_drop there
/// leaves it to the scores. Scores of the last query are 0 afterwards, for the next one.
///
/// team.join(count, none, f, join) gives every thread the join of f(0 … count − 1), each of which may be joined with
/// `none` any number of times.
template <class Team>
NATSCOPE_HD std::int32_t keep_by_scores(const Team& team, const KvHeadPages& head, float self_score,
                                        std::int32_t prescribed) {
  const KvArena& arena = *head.arena;
  const std::int32_t entries = head.state->entries();
  const std::int32_t now = head.state->next_position - 1;
  const bool are_shared = arena.entry_scores == EntryScores::of_last_query;
  team.each(are_shared ? 0 : entries, [&](std::int32_t slot) {
    if (head.position(slot) == now) head.scores[slot] = self_score;
  });
  const auto of = [&](std::int32_t slot) {
    const std::int32_t position = head.position(slot);
    if (static_cast<std::int64_t>(position) + arena.recent > now) return LightestEntry::none();
    return LightestEntry{1, slot, position, position == prescribed ? -INFINITY : head.scores[slot]};
  };
  const LightestEntry lightest =
      team.join(entries, LightestEntry::none(), of,
                [](const LightestEntry& a, const LightestEntry& b) { return LightestEntry::join(a, b); });
  const bool one_goes = lightest.older > arena.heavy;
  if (one_goes) drop_entry(team, head, lightest.slot);
  if (are_shared) team.each(entries, [&](std::int32_t slot) { head.scores[slot] = 0; });
  return one_goes ? lightest.position : no_drop;
}

}  // namespace natscope::kernels::cuda
