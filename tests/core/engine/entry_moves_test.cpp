// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/passes/entry_moves.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace natscope {
namespace {

/// What stands in a head's first `kept` slots once the moves were made; each slot holds its number.
std::vector<std::int32_t> slots_after(const kernels::EntryDrops& call, std::int64_t head, std::int64_t tokens) {
  std::vector<std::int32_t> slots(static_cast<std::size_t>(tokens));
  for (std::size_t slot = 0; slot < slots.size(); ++slot) slots[slot] = static_cast<std::int32_t>(slot);
  for (std::int64_t move = 0; move < call.moves(0, head); ++move) {
    const std::int32_t from = call.from(0, head, move);
    const std::int32_t to = call.to(0, head, move);
    REQUIRE((to >= 0 && to < call.kept(0, head) && from >= call.kept(0, head) && from < tokens));
    slots[static_cast<std::size_t>(to)] = slots[static_cast<std::size_t>(from)];
  }
  slots.resize(static_cast<std::size_t>(call.kept(0, head)));
  return slots;
}

TEST_CASE("moves leave exactly what does not go, each once") {
  std::mt19937 random(3);
  for (const std::int64_t tokens : {1, 2, 31, 32, 33, 200}) {
    for (const unsigned tenths : {0U, 1U, 5U, 9U, 10U}) {
      std::vector<std::vector<TokenPos>> gone(3);
      std::vector<std::vector<std::int32_t>> stay(3);
      std::int64_t dropped = 0;
      for (std::size_t head = 0; head < gone.size(); ++head) {
        for (std::int32_t n = 0; n < tokens; ++n) {
          // Heads drop different numbers; the last one nothing.
          if (head < 2 && random() % 10 < tenths + head) {
            gone[head].emplace_back(n);
          } else {
            stay[head].push_back(n);
          }
        }
        dropped += std::ssize(gone[head]);
      }
      const EntryMoves moves(gone, tokens);
      CHECK(moves.dropped() == dropped);
      const kernels::EntryDrops call = moves.call(LayerId(2), moves.numbers().data());
      CHECK(call.layer == 2);
      for (std::size_t head = 0; head < gone.size(); ++head) {
        std::vector<std::int32_t> slots = slots_after(call, static_cast<std::int64_t>(head), tokens);
        std::ranges::sort(slots);
        CHECK(slots == stay[head]);
        CHECK(call.moves(0, head) <= std::min(std::ssize(stay[head]), std::ssize(gone[head])));
      }
      // The last number is one of theirs.
      CHECK(&call.to(0, 2, call.to.size(2) - 1) == &moves.numbers().back());
    }
  }
}

}  // namespace
}  // namespace natscope
