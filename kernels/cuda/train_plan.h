// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/cuda/host_device.h"
#include "kernels/token_roles.h"

/// Which keys a block of training queries meets, and in which order: the index arithmetic of kernels/cuda's training
/// attention, for the device and for the CPU test that holds it to `ref`.
namespace natscope::kernels::cuda {

/// Place of no key: before every last query, after every query.
inline constexpr std::int32_t no_position = std::numeric_limits<std::int32_t>::max();

/// Places from begin to before end.
struct PlaceRange {
  std::int32_t begin = 0;
  std::int32_t end = 0;
};

/// The keys of one (batch item, KV head) by role: globals, locals, sliding ones, each from old to new and each
/// beginning at a multiple of `tile`. So a tile of keys has one role, `position` and `last` grow along a run, and what
/// a block of queries sees of a run is one range of places: tiles are dense in visible keys however the roles are mixed
/// in time.
///
/// Arrays are in device memory (or the test's own): [places] but for next_global [length] and ranges [blocks,
/// role_count].
struct TrainPlan {
  std::int32_t length = 0;
  std::int32_t tile = 0;      ///< queries of a block and places of a tile
  std::int32_t* next_global;  ///< by position
  std::int32_t* position;     ///< no_position where there is no key
  std::int32_t* last;         ///< last query that sees it, at most length − 1; −1 where there is no key
  std::int32_t* next_end;     ///< last query of da_L: next_global(n), at most length − 1
  std::int32_t* window_end;   ///< last query of da_S: n + W, at most length − 1
  std::int32_t*
      second_end;      ///< of a local that a global g ends: next_global(g), at most length − 1; otherwise next_end
  PlaceRange* runs;    ///< [role_count]
  PlaceRange* ranges;  ///< what block b of queries sees of run r: [b, r]

  [[nodiscard]] NATSCOPE_HD std::int32_t blocks() const { return (length + tile - 1) / tile; }
  [[nodiscard]] NATSCOPE_HD PlaceRange range(std::int32_t block, int run) const {
    return ranges[block * role_count + run];
  }

  /// Whether query m sees the key at a place; never true of a place without a key.
  [[nodiscard]] NATSCOPE_HD bool sees(std::int32_t place, std::int32_t m) const {
    return position[place] <= m && m <= last[place];
  }
};

/// Enough places for any roles: every token, and a part of a tile behind each run.
[[nodiscard]] NATSCOPE_HD constexpr std::int64_t train_places(std::int64_t length, std::int64_t tile) {
  return (length + tile - 1) / tile * tile + role_count * tile;
}

/// The first place from begin to end whose number is not below `wanted`, along which numbers grow.
[[nodiscard]] NATSCOPE_HD inline std::int32_t first_not_below(const std::int32_t* numbers, PlaceRange range,
                                                              std::int32_t wanted) {
  while (range.begin < range.end) {
    const std::int32_t middle = range.begin + (range.end - range.begin) / 2;
    if (numbers[middle] < wanted) {
      range.begin = middle + 1;
    } else {
      range.end = middle;
    }
  }
  return range.begin;
}

/// The tiles that a block of queries goes through, one after the other over all three runs.
class TrainTiles {
 public:
  NATSCOPE_HD TrainTiles(const TrainPlan& plan, std::int32_t block) {
    for (int run = 0; run < role_count; ++run) {
      const PlaceRange range = plan.range(block, run);
      first_[run] = range.begin / plan.tile;
      end_[run] = range.begin < range.end ? (range.end + plan.tile - 1) / plan.tile : first_[run];
    }
  }
  [[nodiscard]] NATSCOPE_HD std::int32_t count() const {
    return (end_[0] - first_[0]) + (end_[1] - first_[1]) + (end_[2] - first_[2]);
  }
  /// Number of the index-th tile: places from tile · plan.tile on.
  [[nodiscard]] NATSCOPE_HD std::int32_t operator[](std::int32_t index) const {
    // Written out: an array that is indexed by a number known at run time would stand in memory.
    const std::int32_t second = end_[0] - first_[0];
    const std::int32_t third = second + end_[1] - first_[1];
    if (index < second) return first_[0] + index;
    return index < third ? first_[1] + index - second : first_[2] + index - third;
  }

 private:
  std::int32_t first_[role_count];
  std::int32_t end_[role_count];
};

/// What holds for a whole tile of keys: then blocks of queries need not ask each one.
struct TileReach {
  std::int32_t count = 0;  ///< keys in it, its first places
  std::int32_t first_position = 0;
  std::int32_t last_position = 0;
  std::int32_t seen_by_all = -1;  ///< the last query that sees all of them
  std::int32_t seen_by_any = -1;  ///< the last query that sees any of them
};

/// The runs of a plan, read once by whoever goes through many tiles.
struct PlanRuns {
  PlaceRange of[role_count];
  NATSCOPE_HD explicit PlanRuns(const TrainPlan& plan) {
    NATSCOPE_UNROLL
    for (int run = 0; run < role_count; ++run) of[run] = plan.runs[run];
  }
};

[[nodiscard]] NATSCOPE_HD inline TileReach reach_of_tile(const TrainPlan& plan, const PlanRuns& runs,
                                                         std::int32_t tile) {
  const std::int32_t begin = tile * plan.tile;
  std::int32_t end = begin;  // runs begin at tiles: one of them at most has keys here
  NATSCOPE_UNROLL
  for (int run = 0; run < role_count; ++run) {
    const std::int32_t last = runs.of[run].end < begin + plan.tile ? runs.of[run].end : begin + plan.tile;
    if (begin >= runs.of[run].begin && begin < last) end = last;
  }
  if (end == begin) return {};
  return {end - begin, plan.position[begin], plan.position[end - 1], plan.last[begin], plan.last[end - 1]};
}
[[nodiscard]] NATSCOPE_HD inline TileReach reach_of_tile(const TrainPlan& plan, std::int32_t tile) {
  return reach_of_tile(plan, PlanRuns(plan), tile);
}

/// Whether every query from first to before first + tile sees every place of the tile, so that no mask is needed.
[[nodiscard]] NATSCOPE_HD inline bool is_whole(const TileReach& reach, std::int32_t tile, std::int32_t first,
                                               std::int32_t length) {
  const std::int32_t last = (first + tile < length ? first + tile : length) - 1;
  return reach.count == tile && reach.last_position <= first && last <= reach.seen_by_all;
}

/// Tokens that are worked on together when a plan is built, as one word of bits a role and 32 tokens.
inline constexpr std::int32_t plan_chunk = 1024;

struct RoleMasks {
  std::uint32_t words[role_count][plan_chunk / 32];
};

[[nodiscard]] NATSCOPE_HD inline int count_bits(std::uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __popc(bits);
#else
  return __builtin_popcount(bits);
#endif
}

/// Set bits before the one at `index`.
[[nodiscard]] NATSCOPE_HD inline std::int32_t bits_before(const std::uint32_t* words, std::int32_t index) {
  std::int32_t count = 0;
  for (std::int32_t word = 0; word < index / 32; ++word) count += count_bits(words[word]);
  return count + count_bits(words[index / 32] & ((1U << (index % 32)) - 1U));
}

/// The first set bit after the one at `index`; −1 when there is none.
[[nodiscard]] NATSCOPE_HD inline std::int32_t next_bit(const std::uint32_t* words, std::int32_t index) {
  std::int32_t word = index / 32;
  std::uint32_t bits = words[word] & ~((2U << (index % 32)) - 1U);  // shifting 2 by 31 leaves nothing, which is meant
  while (bits == 0 && ++word < plan_chunk / 32) bits = words[word];
  if (bits == 0) return -1;
  return word * 32 + count_bits((bits & (0U - bits)) - 1U);
}

/// Fills the plan from roles [length], `stride` apart. `Team` is the threads of a block: team.each(count, f) runs f(0 …
/// count − 1) and waits for all of them, team.mark as in kv_append.h. A role over 2 counts as sliding; launch/ has
/// refused it where it could look. `masks` and `counts` [role_count] are the team's own.
template <class Team>
NATSCOPE_HD void build_train_plan(const Team& team, const TrainPlan& plan, const Role* roles, std::int64_t stride,
                                  std::int64_t window, std::int32_t places, RoleMasks& masks, std::int32_t* counts) {
  const std::int32_t end = plan.length - 1;
  const std::int32_t chunks = (plan.length + plan_chunk - 1) / plan_chunk;
  const auto role_of = [&](std::int32_t n) {
    const int role = static_cast<int>(roles[n * stride]);
    return role < 2 ? role : 2;
  };
  const auto read_masks = [&](std::int32_t first) {
    team.mark(
        plan_chunk,
        [&](std::int32_t index) { return first + index < plan.length ? role_of(first + index) : role_count; }, masks);
  };
  team.each(places, [&](std::int32_t place) {
    plan.position[place] = no_position;
    plan.last[place] = plan.next_end[place] = plan.window_end[place] = plan.second_end[place] = -1;
  });

  // From the end, for the next global of every token; and how many tokens have each role.
  std::int32_t nearest = no_next_global;
  std::int32_t totals[role_count] = {0, 0, 0};
  for (std::int32_t chunk = chunks; chunk-- > 0;) {
    const std::int32_t first = chunk * plan_chunk;
    read_masks(first);
    team.each(plan_chunk, [&](std::int32_t index) {
      if (first + index >= plan.length) return;
      const std::int32_t next = next_bit(masks.words[0], index);
      plan.next_global[first + index] = next < 0 ? nearest : first + next;
    });
    for (int role = 0; role < role_count; ++role) {
      totals[role] += bits_before(masks.words[role], plan_chunk - 1) +
                      static_cast<std::int32_t>(masks.words[role][plan_chunk / 32 - 1] >> 31U);
    }
    const std::int32_t earliest = (masks.words[0][0] & 1U) != 0 ? 0 : next_bit(masks.words[0], 0);
    if (earliest >= 0) nearest = first + earliest;
    team.each(0, [](std::int32_t) {});  // masks are read to the end before the next chunk writes them
  }
  std::int32_t begins[role_count];
  std::int32_t begin = 0;
  for (int role = 0; role < role_count; ++role) {
    begins[role] = begin;
    begin += (totals[role] + plan.tile - 1) / plan.tile * plan.tile;
  }
  team.each(role_count, [&](std::int32_t role) {
    counts[role] = begins[role];
    plan.runs[role] = {begins[role], begins[role] + totals[role]};
  });

  for (std::int32_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int32_t first = chunk * plan_chunk;
    read_masks(first);
    team.each(plan_chunk, [&](std::int32_t index) {
      const std::int32_t n = first + index;
      if (n >= plan.length) return;
      const int role = role_of(n);
      const std::int32_t place = counts[role] + bits_before(masks.words[role], index);
      const std::int32_t next = plan.next_global[n];
      const auto capped = [&](std::int64_t query) { return static_cast<std::int32_t>(query < end ? query : end); };
      plan.position[place] = n;
      plan.last[place] = capped(last_query_that_sees(static_cast<Role>(role), TokenPos(n), next, window));
      plan.next_end[place] = capped(next);
      plan.window_end[place] = capped(n + window);
      const bool ended = role == static_cast<int>(Role::local) && next != no_next_global;
      plan.second_end[place] = capped(ended ? plan.next_global[next] : next);
    });
    team.each(role_count, [&](std::int32_t role) {
      counts[role] += bits_before(masks.words[role], plan_chunk - 1) +
                      static_cast<std::int32_t>(masks.words[role][plan_chunk / 32 - 1] >> 31U);
    });
  }

  team.each(plan.blocks() * role_count, [&](std::int32_t index) {
    const PlaceRange run = plan.runs[index % role_count];
    const std::int32_t first = index / role_count * plan.tile;
    const std::int32_t last = (first + plan.tile < plan.length ? first + plan.tile : plan.length) - 1;
    plan.ranges[index] = {first_not_below(plan.last, run, first), first_not_below(plan.position, run, last + 1)};
  });
}

}  // namespace natscope::kernels::cuda
