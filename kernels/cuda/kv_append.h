// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/cuda/kv_arena.h"
#include "kernels/cuda/train_plan.h"

/// What an append does to one head, for the device and for the CPU test: which entries go, which move, where the new
/// ones go, and the pages behind them.
///
/// Globals stand in slots from 0 on, then locals, then sliding entries, without a hole between them. Globals never
/// move. A new global drops every local, so locals never move either. Only sliding entries do: whatever of them stands
/// outside of where they belong afterwards goes into a hole inside, and what holes are left take the new ones.
///
/// A `Team` is the threads of a block: team.each(count, f) runs f(0 … count − 1) and waits for all of them;
/// team.mark(count, of, masks) sets bit i of masks.words[run], and clears it of the other runs, where of(i) is run.
/// Numbers outside of both are the same in every thread.
namespace natscope::kernels::cuda {

/// The team's own memory.
struct AppendShared {
  RoleMasks masks;
  std::int32_t counts[role_count];
  std::int32_t first_page;  ///< place of the pages taken, in free_pages or returned_pages
};

/// Sixteen bytes of a row.
struct alignas(16) RowPiece {
  std::uint32_t words[4];
};

[[nodiscard]] NATSCOPE_HD inline std::int32_t fetch_add(std::int32_t& number, std::int32_t added) {
#ifdef __CUDA_ARCH__
  return atomicAdd(&number, added);
#else
  const std::int32_t before = number;
  number += added;
  return before;
#endif
}

/// Takes `count` pages from the top of the stack: the place of the first of them, or −1 and nothing is taken.
[[nodiscard]] NATSCOPE_HD inline std::int32_t take_pages(KvPageStock& stock, std::int32_t count) {
  const std::int32_t before = fetch_add(stock.free, -count);
  if (before >= count) return before - count;
  (void)fetch_add(stock.free, count);
  (void)fetch_add(stock.failed, 1);
  return -1;
}

/// Set bits from the one at `index` on, of the first `words` words.
[[nodiscard]] NATSCOPE_HD inline std::int32_t bits_from(const std::uint32_t* bits, std::int32_t index,
                                                        std::int32_t words) {
  std::int32_t count = 0;
  for (std::int32_t word = index / 32; word < words; ++word) {
    count += count_bits(word == index / 32 ? bits[word] & ~((1U << (index % 32)) - 1U) : bits[word]);
  }
  return count;
}

/// The last set bit of the first `words` words; −1 when there is none.
[[nodiscard]] NATSCOPE_HD inline std::int32_t last_bit(const std::uint32_t* bits, std::int32_t words) {
  std::int32_t word = words - 1;
  while (word >= 0 && bits[word] == 0) --word;
  if (word < 0) return -1;
  std::int32_t bit = 31;
  while ((bits[word] >> bit & 1U) == 0) --bit;
  return word * 32 + bit;
}

/// Roles of the tokens of an append, and which of them stay.
struct AppendedTokens {
  const Role* roles;
  std::int64_t stride;
  std::int32_t count;
  std::int32_t first_local = 0;    ///< row from which locals stay: after the last global
  std::int32_t first_sliding = 0;  ///< row from which sliding tokens stay

  [[nodiscard]] NATSCOPE_HD int role(std::int32_t row) const {
    const int role = static_cast<int>(roles[row * stride]);
    return role < 2 ? role : 2;
  }
  [[nodiscard]] NATSCOPE_HD bool stays(int role, std::int32_t row) const {
    return role == 0 || row >= (role == 1 ? first_local : first_sliding);
  }
};

/// What an append makes of a head: numbers of entries.
struct AppendChange {
  std::int32_t added[role_count] = {0, 0, 0};
  std::int32_t kept_locals = 0;
  std::int32_t kept_sliding = 0;
  std::int32_t movers = 0;  ///< kept sliding entries that stand where none belongs any more

  /// Slots from which locals, and sliding entries, stand afterwards.
  [[nodiscard]] NATSCOPE_HD std::int32_t locals_begin(const KvHeadState& before) const {
    return before.held[0] + added[0];
  }
  [[nodiscard]] NATSCOPE_HD std::int32_t sliding_begin(const KvHeadState& before) const {
    return locals_begin(before) + kept_locals + added[1];
  }
  [[nodiscard]] NATSCOPE_HD std::int32_t end(const KvHeadState& before) const {
    return sliding_begin(before) + kept_sliding + added[2];
  }
};

/// f(first, words) for every plan_chunk of `count` items, with masks.words[run] set where of(index) is run.
template <class Team, class Of, class F>
NATSCOPE_HD void through_masks(const Team& team, AppendShared& shared, std::int32_t count, bool backwards, const Of& of,
                               const F& f) {
  const std::int32_t chunks = (count + plan_chunk - 1) / plan_chunk;
  for (std::int32_t step = 0; step < chunks; ++step) {
    const std::int32_t first = (backwards ? chunks - 1 - step : step) * plan_chunk;
    const std::int32_t here = count - first < plan_chunk ? count - first : plan_chunk;
    const std::int32_t words = (here + 31) / 32;
    team.mark(
        here, [&](std::int32_t index) { return of(first + index); }, shared.masks);
    f(first, here, words);
    team.each(0, [](std::int32_t) {});  // masks are read to the end before the next chunk writes them
  }
}

/// Which tokens stay, from the last one back.
template <class Team>
NATSCOPE_HD void count_appended(const Team& team, AppendShared& shared, AppendedTokens& tokens, AppendChange& change) {
  bool global_seen = false;
  const auto role_of = [&](std::int32_t row) { return tokens.role(row); };
  through_masks(team, shared, tokens.count, true, role_of,
                [&](std::int32_t first, std::int32_t here, std::int32_t words) {
                  const std::int32_t last = global_seen ? here : last_bit(shared.masks.words[0], words);
                  change.added[0] += bits_from(shared.masks.words[0], 0, words);
                  if (!global_seen) change.added[1] += bits_from(shared.masks.words[1], last + 1, words);
                  if (!global_seen && last >= 0) tokens.first_local = first + last + 1;
                  global_seen = global_seen || last >= 0;
                  const std::int32_t from = tokens.first_sliding > first ? tokens.first_sliding - first : 0;
                  if (from < here) change.added[2] += bits_from(shared.masks.words[2], from, words);
                });
}

/// Copies rows of entries, from[i] to to[i]; no slot is in both.
template <class Team>
NATSCOPE_HD void move_entries(const Team& team, const KvHeadPages& head, const std::int32_t* from,
                              const std::int32_t* to, std::int32_t count) {
  const auto pieces = static_cast<std::int32_t>(head.arena->row_bytes() / 16);
  constexpr std::int32_t at_once = 4096;
  for (std::int32_t first = 0; first < count; first += at_once) {
    const std::int32_t rows = count - first < at_once ? count - first : at_once;
    team.each(rows * pieces, [&](std::int32_t index) {
      const std::int32_t row = first + index / pieces;
      const std::int32_t piece = index % pieces;
      const auto* const key = reinterpret_cast<const RowPiece*>(head.key_row(from[row]));
      auto* const new_key = reinterpret_cast<RowPiece*>(head.key_row(to[row]));
      const std::int64_t to_value = head.value_offset() / 16;
      new_key[piece] = key[piece];
      new_key[to_value + piece] = key[to_value + piece];
      if (piece == 0) head.position(to[row]) = head.position(from[row]);
      if (piece == 0 && head.arena->most_scored > 0) head.scores[to[row]] = head.scores[from[row]];
    });
  }
}

/// Drops, moves and makes room; `slots` [count] receives where each token goes, −1 where it does not stay. The rows
/// themselves are written by the caller, after this. When pages are short the head keeps what it has.
template <class Team>
NATSCOPE_HD void append_to_head(const Team& team, AppendShared& shared, const KvHeadPages& head, AppendedTokens tokens,
                                std::int32_t* moves, std::int32_t* slots) {
  const KvArena& arena = *head.arena;
  const KvHeadState before = *head.state;
  const std::int64_t end_position = static_cast<std::int64_t>(before.next_position) + tokens.count;
  tokens.first_sliding = tokens.count > arena.window ? tokens.count - arena.window : 0;
  AppendChange change;
  count_appended(team, shared, tokens, change);
  change.kept_locals = change.added[0] > 0 ? 0 : before.held[1];

  const std::int32_t old_sliding = before.held[0] + before.held[1];
  const auto is_kept = [&](std::int32_t slot) {
    return head.position(slot) + static_cast<std::int64_t>(arena.window) >= end_position;
  };
  through_masks(
      team, shared, before.held[2], false, [&](std::int32_t index) { return is_kept(old_sliding + index) ? 0 : 1; },
      [&](std::int32_t, std::int32_t, std::int32_t words) {
        change.kept_sliding += bits_from(shared.masks.words[0], 0, words);
      });
  const std::int32_t begin = change.sliding_begin(before);
  const std::int32_t end = change.end(before);

  const std::int32_t pages = arena.pages_for(end);
  const std::int32_t missing = pages - before.pages;
  team.each(1, [&](std::int32_t) {
    shared.first_page = 0;
    if (pages > arena.head_pages || (arena.most_scored > 0 && end > arena.most_scored)) {
      shared.first_page = -1;
      (void)fetch_add(arena.stock->failed, 1);
    } else if (missing > 0) {
      shared.first_page = take_pages(*arena.stock, missing);
    }
  });
  const std::int32_t first_page = shared.first_page;
  team.each(0, [](std::int32_t) {});
  if (first_page < 0) {
    team.each(tokens.count, [&](std::int32_t row) { slots[row] = -1; });
    team.each(1, [&](std::int32_t) { head.state->next_position = static_cast<std::int32_t>(end_position); });
    return;
  }
  team.each(missing > 0 ? missing : 0,
            [&](std::int32_t index) { head.table[before.pages + index] = arena.free_pages[first_page + index]; });

  // Kept sliding entries outside of where they belong, and the slots inside that none of them has.
  std::int32_t* const holes = moves + arena.most_moves;
  const auto list = [&](std::int32_t first_slot, std::int32_t count, std::int32_t* to, const auto& wanted) {
    std::int32_t found = 0;
    through_masks(
        team, shared, count, false, [&](std::int32_t index) { return wanted(first_slot + index) ? 0 : 1; },
        [&](std::int32_t first, std::int32_t here, std::int32_t words) {
          team.each(here, [&](std::int32_t index) {
            if ((shared.masks.words[0][index / 32] >> (index % 32) & 1U) == 0) return;
            to[found + bits_before(shared.masks.words[0], index)] = first_slot + first + index;
          });
          found += bits_from(shared.masks.words[0], 0, words);
        });
    return found;
  };
  change.movers = list(old_sliding, before.held[2], moves,
                       [&](std::int32_t slot) { return (slot < begin || slot >= end) && is_kept(slot); });
  list(begin, end - begin, holes,
       [&](std::int32_t slot) { return slot < old_sliding || slot >= old_sliding + before.held[2] || !is_kept(slot); });
  move_entries(team, head, moves, holes, change.movers);

  const std::int32_t begins[role_count] = {before.held[0], change.locals_begin(before) + change.kept_locals,
                                           change.movers};
  team.each(role_count, [&](std::int32_t role) { shared.counts[role] = begins[role]; });
  const auto run_of = [&](std::int32_t row) {
    const int role = tokens.role(row);
    return tokens.stays(role, row) ? role : role_count;
  };
  through_masks(
      team, shared, tokens.count, false, run_of, [&](std::int32_t first, std::int32_t here, std::int32_t words) {
        team.each(here, [&](std::int32_t index) {
          const int run = run_of(first + index);
          std::int32_t slot = -1;
          if (run < role_count) slot = shared.counts[run] + bits_before(shared.masks.words[run], index);
          slots[first + index] = run == 2 ? holes[slot] : slot;
        });
        team.each(role_count,
                  [&](std::int32_t role) { shared.counts[role] += bits_from(shared.masks.words[role], 0, words); });
      });

  team.each(1, [&](std::int32_t) {
    if (missing < 0) shared.first_page = fetch_add(arena.stock->returned, -missing);
    *head.state = {
        {before.held[0] + change.added[0], change.kept_locals + change.added[1], change.kept_sliding + change.added[2]},
        static_cast<std::int32_t>(end_position),
        pages,
        {0, 0, 0}};
  });
  team.each(missing < 0 ? -missing : 0,
            [&](std::int32_t index) { arena.returned_pages[shared.first_page + index] = head.table[pages + index]; });
}

/// Pages that became empty are free from here on. Other teams may give pages back at the same time, but none may take.
template <class Team>
NATSCOPE_HD void take_back_pages(const Team& team, AppendShared& shared, const KvArena& arena) {
  const std::int32_t returned = arena.stock->returned;
  team.each(1, [&](std::int32_t) { shared.first_page = fetch_add(arena.stock->free, returned); });
  const std::int32_t free = shared.first_page;
  team.each(returned, [&](std::int32_t index) { arena.free_pages[free + index] = arena.returned_pages[index]; });
  team.each(1, [&](std::int32_t) { arena.stock->returned = 0; });
}

/// The pages of one more slab are free.
template <class Team>
NATSCOPE_HD void add_slab_pages(const Team& team, const KvArena& arena, std::int32_t slab, std::byte* base) {
  const std::int32_t free = arena.stock->free;
  const std::int32_t count = 1 << arena.pages_per_slab_log2;
  // Taken from the top, so that the slab is used from its beginning.
  team.each(count, [&](std::int32_t index) {
    arena.free_pages[free + index] = (slab << arena.pages_per_slab_log2) + count - 1 - index;
  });
  team.each(1, [&](std::int32_t) {
    arena.slabs[slab] = base;
    arena.stock->free = free + count;
  });
}

}  // namespace natscope::kernels::cuda
