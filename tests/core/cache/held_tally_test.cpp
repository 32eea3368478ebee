// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/held_tally.h"

#include <doctest/doctest.h>

#include <random>

namespace natscope {
namespace {

struct Count {
  std::int64_t entries = 0;
  std::int64_t globals_and_locals = 0;
};

/// Section 5 of the rules, word by word.
Count recount(const std::vector<Role>& roles, std::int64_t window) {
  const auto t = static_cast<std::int64_t>(roles.size()) - 1;
  Count count;
  for (std::int64_t n = 0; n <= t; ++n) {
    const Role role = roles[static_cast<std::size_t>(n)];
    bool held = role == Role::global || (role == Role::sliding && n + window >= t + 1);
    if (role == Role::local) {
      held = true;
      for (std::int64_t j = n + 1; j <= t; ++j) held = held && roles[static_cast<std::size_t>(j)] != Role::global;
    }
    count.entries += held ? 1 : 0;
    count.globals_and_locals += held && role != Role::sliding ? 1 : 0;
  }
  return count;
}

TEST_CASE("the tally equals a recount from the roles after every token") {
  constexpr std::uint32_t seed = 20;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (const std::int64_t window : {0, 1, 2, 5, 31, 32, 33, 1000}) {
    for (int mix = 0; mix < 4; ++mix) {
      HeldTally tally(window);
      std::vector<Role> roles;
      for (int t = 0; t < 97; ++t) {
        const bool rarely_global = mix == 3 && random() % 20 != 0;
        roles.push_back(mix < 3 && random() % 3 == 0
                            ? static_cast<Role>(mix)
                            : static_cast<Role>(rarely_global ? 1 + random() % 2 : random() % 3));
        const Count expected = recount(roles, window);
        CHECK(tally.add(roles.back()) == expected.entries);
        CHECK(tally.entries() == expected.entries);
        CHECK(tally.paper_entries() == window + expected.globals_and_locals);
      }
      std::vector<std::int32_t> held(roles.size(), -1);
      CHECK(kernels::held_entries(roles, window, held).ok());
      CHECK(held.back() == tally.entries());
    }
  }
}

}  // namespace
}  // namespace natscope
