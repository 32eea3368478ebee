// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/train_plan.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/kernels/host_team.h"
#include "tests/kernels/random_arrays.h"

using namespace natscope;
using namespace natscope::kernels::cuda;
using natscope::test::HostTeam;
using natscope::test::RandomArrays;

namespace {

/// A plan in memory of its own. `stride`: roles stand that far apart.
struct Planned {
  Planned(const std::vector<Role>& roles, std::int64_t stride, std::int32_t length, std::int32_t tile,
          std::int64_t window)
      : next(static_cast<std::size_t>(length), -7),
        ranges(static_cast<std::size_t>((length + tile - 1) / tile * role_count)) {
    for (auto& numbers : by_place) numbers.assign(static_cast<std::size_t>(train_places(length, tile)), -7);
    plan = {length,
            tile,
            next.data(),
            by_place[0].data(),
            by_place[1].data(),
            by_place[2].data(),
            by_place[3].data(),
            by_place[4].data(),
            runs.data(),
            ranges.data()};
    RoleMasks masks;
    std::array<std::int32_t, role_count> counts{};
    build_train_plan(HostTeam(), plan, roles.data(), stride, window,
                     static_cast<std::int32_t>(train_places(length, tile)), masks, counts.data());
  }

  std::vector<std::int32_t> next;
  std::array<std::vector<std::int32_t>, 5> by_place;
  std::array<PlaceRange, role_count> runs{};
  std::vector<PlaceRange> ranges;
  TrainPlan plan{};
};

/// Every token stands once, in its role's run and in order, with the ends that the rules give it.
void check_places(const Planned& planned, const std::vector<Role>& roles, std::int64_t stride, std::int64_t window) {
  const TrainPlan& plan = planned.plan;
  const auto role_of = [&](std::int32_t n) { return roles[static_cast<std::size_t>(n * stride)]; };
  const auto next_of = [&](std::int32_t n) {
    for (std::int32_t j = n + 1; j < plan.length; ++j) {
      if (role_of(j) == Role::global) return j;
    }
    return no_next_global;
  };
  const auto end = static_cast<std::int64_t>(plan.length - 1);
  std::vector<int> found(static_cast<std::size_t>(plan.length), 0);
  std::int64_t wrong = 0;
  for (int run = 0; run < role_count; ++run) {
    CHECK(planned.runs[static_cast<std::size_t>(run)].begin % plan.tile == 0);
    for (std::int32_t place = planned.runs[static_cast<std::size_t>(run)].begin;
         place < planned.runs[static_cast<std::size_t>(run)].end; ++place) {
      const std::int32_t n = plan.position[place];
      REQUIRE((n >= 0 && n < plan.length));
      ++found[static_cast<std::size_t>(n)];
      const std::int32_t next = next_of(n);
      const std::int64_t second = role_of(n) == Role::local && next != no_next_global ? next_of(next) : next;
      const std::int64_t last = last_query_that_sees(role_of(n), TokenPos(n), next, window);
      const bool right =
          static_cast<int>(role_of(n)) == run &&
          (place == planned.runs[static_cast<std::size_t>(run)].begin || plan.position[place - 1] < n) &&
          plan.last[place] == std::min(last, end) && plan.next_end[place] == std::min<std::int64_t>(next, end) &&
          plan.window_end[place] == std::min(n + window, end) && plan.second_end[place] == std::min(second, end);
      wrong += right ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(std::all_of(found.begin(), found.end(), [](int times) { return times == 1; }));
  CHECK(std::count(planned.by_place[0].begin(), planned.by_place[0].end(), no_position) ==
        static_cast<std::ptrdiff_t>(planned.by_place[0].size()) - plan.length);
}

/// A block's tiles hold every key that one of its queries sees, and no tile twice; a tile called whole needs no mask.
void check_tiles(const TrainPlan& plan) {
  for (std::int32_t block = 0; block < plan.blocks(); ++block) {
    const TrainTiles tiles(plan, block);
    std::vector<int> visited(static_cast<std::size_t>(train_places(plan.length, plan.tile) / plan.tile), 0);
    for (std::int32_t index = 0; index < tiles.count(); ++index) ++visited[static_cast<std::size_t>(tiles[index])];
    CHECK(std::all_of(visited.begin(), visited.end(), [](int times) { return times <= 1; }));
    const std::int32_t first = block * plan.tile;
    for (std::size_t tile = 0; tile < visited.size(); ++tile) {
      bool any = false;
      bool all = true;
      for (std::int32_t place = static_cast<std::int32_t>(tile) * plan.tile;
           place < static_cast<std::int32_t>(tile + 1) * plan.tile; ++place) {
        for (std::int32_t m = first; m < std::min(first + plan.tile, plan.length); ++m) {
          const bool sees = plan.sees(place, m);
          any = any || sees;
          all = all && sees;
        }
      }
      const TileReach reach = reach_of_tile(plan, static_cast<std::int32_t>(tile));
      CHECK((!any || visited[tile] == 1));
      CHECK((all || !is_whole(reach, plan.tile, first, plan.length)));
      if (any) CHECK(reach.seen_by_any >= first);
    }
  }
}

}  // namespace

TEST_CASE("a plan holds every token once, and a block's tiles every key it sees") {
  RandomArrays random(91);
  INFO(random.how_to_repeat());
  for (const std::int32_t length : {1, 31, 32, 33, 64, 127, 1023, 1024, 1025, 2503}) {
    for (const std::vector<double>& shares :
         {std::vector<double>{1, 1, 1}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 300, 300}, {1, 20, 5}}) {
      for (const std::int32_t tile : {32, 64}) {
        const std::int64_t window = random.between(0, 1) == 0 ? random.between(0, 40) : random.between(0, length);
        const std::int64_t stride = random.between(1, 3);
        CAPTURE(length);
        CAPTURE(tile);
        CAPTURE(window);
        const std::vector<Role> roles = random.roles(length * stride, shares);
        const Planned planned(roles, stride, length, tile, window);
        check_places(planned, roles, stride, window);
        check_tiles(planned.plan);
      }
    }
  }
}

TEST_CASE("bits are counted and found across words") {
  std::array<std::uint32_t, plan_chunk / 32> words{};
  CHECK(next_bit(words.data(), 0) == -1);
  words[0] = 0x80000001U;
  words[3] = 0x2U;
  words[31] = 0x80000000U;
  CHECK(bits_before(words.data(), 0) == 0);
  CHECK(bits_before(words.data(), 31) == 1);
  CHECK(bits_before(words.data(), 32) == 2);
  CHECK(bits_before(words.data(), 1023) == 3);
  CHECK(next_bit(words.data(), 0) == 31);
  CHECK(next_bit(words.data(), 31) == 97);
  CHECK(next_bit(words.data(), 97) == 1023);
  CHECK(next_bit(words.data(), 1023) == -1);
}
