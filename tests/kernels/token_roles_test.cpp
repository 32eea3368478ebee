// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/token_roles.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "kernels/attention_statistics.h"
#include "tests/kernels/random_arrays.h"

using namespace natscope;
using namespace natscope::kernels;
using natscope::test::RandomArrays;

namespace {

/// Sections 4 and 5 once more, from their sentences alone.
bool seen_by_the_rules(const std::vector<Role>& roles, std::int64_t window, std::int64_t m, std::int64_t n) {
  if (n > m) return false;
  if (n == m) return true;
  if (roles[static_cast<std::size_t>(n)] == Role::global) return true;
  if (roles[static_cast<std::size_t>(n)] == Role::sliding) return m <= n + window;
  for (std::int64_t j = n + 1; j < m; ++j) {
    if (roles[static_cast<std::size_t>(j)] == Role::global) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("next_globals looks strictly ahead") {
  const std::vector<Role> roles{Role::global, Role::local, Role::global, Role::sliding, Role::local};
  std::vector<std::int32_t> next(5, -1);
  REQUIRE(next_globals(roles, next).ok());
  CHECK(next == std::vector<std::int32_t>{2, 2, no_next_global, no_next_global, no_next_global});
  std::vector<std::int32_t> wrong(4);
  CHECK(next_globals(roles, wrong).code == StatusCode::shape_mismatch);
  CHECK(next_globals({}, {}).ok());
}

TEST_CASE("visibility follows the sentences of the rules") {
  RandomArrays random(71);
  INFO(random.how_to_repeat());
  for (const std::int64_t tokens : {0, 1, 2, 31, 32, 33, 67}) {
    for (const std::int64_t window : {0, 1, 5, 16, 1000}) {
      const std::vector<Role> roles = random.roles(tokens);
      std::vector<std::uint8_t> seen(static_cast<std::size_t>(tokens * tokens), 255);
      REQUIRE(visibility(roles, window, View<std::uint8_t, 2>::packed(seen.data(), {tokens, tokens})).ok());
      std::int64_t wrong = 0;
      for (std::int64_t m = 0; m < tokens; ++m) {
        for (std::int64_t n = 0; n < tokens; ++n) {
          const bool expected = seen_by_the_rules(roles, window, m, n);
          if (seen[static_cast<std::size_t>(m * tokens + n)] != (expected ? 1 : 0)) ++wrong;
        }
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("held_entries counts what the next query could see") {
  RandomArrays random(72);
  INFO(random.how_to_repeat());
  for (const std::int64_t tokens : {0, 1, 2, 33, 61}) {
    for (const std::int64_t window : {0, 1, 2, 7, 60, 61, 500}) {
      const std::vector<Role> roles = random.roles(tokens);
      std::vector<std::int32_t> held(static_cast<std::size_t>(tokens), -1);
      REQUIRE(held_entries(roles, window, held).ok());
      for (std::int64_t t = 0; t < tokens; ++t) {
        std::int32_t expected = 0;
        for (std::int64_t n = 0; n <= t; ++n) {
          // A query at t + 1 of any role sees n when the sequence ends at t: t + 1 itself is no global before it.
          if (seen_by_the_rules(roles, window, t + 1, n)) ++expected;
        }
        CHECK(held[static_cast<std::size_t>(t)] == expected);
      }
    }
  }
}

TEST_CASE("the first token's window ends like every other one's") {
  const std::vector<Role> roles(6, Role::sliding);
  std::vector<std::int32_t> held(6, -1);
  REQUIRE(held_entries(roles, 2, held).ok());
  CHECK(held == std::vector<std::int32_t>{1, 2, 2, 2, 2, 2});
}

TEST_CASE("the one-line rules agree with the mask") {
  RandomArrays random(73);
  INFO(random.how_to_repeat());
  const std::vector<Role> roles = random.roles(40);
  std::vector<std::int32_t> next(40);
  REQUIRE(next_globals(roles, next).ok());
  for (std::int32_t n = 0; n < 40; ++n) {
    const auto at = static_cast<std::size_t>(n);
    for (std::int32_t m = 0; m < 40; ++m) {
      const bool seen = visible(roles[at], TokenPos(n), TokenPos(m), next[at], 6);
      CHECK(seen == seen_by_the_rules(roles, 6, m, n));
      const std::int64_t last = last_query_that_sees(roles[at], TokenPos(n), next[at], 6);
      CHECK(seen == (n <= m && (m == n || m <= last)));
    }
  }
}

TEST_CASE("a window may be as long as numbers go") {
  for (const std::int64_t window : {std::int64_t{4}, std::numeric_limits<std::int64_t>::max()}) {
    CAPTURE(window);
    const std::vector<Role> roles(5, Role::sliding);
    std::vector<std::uint8_t> seen(25, 255);
    REQUIRE(visibility(roles, window, View<std::uint8_t, 2>::packed(seen.data(), {5, 5})).ok());
    for (std::size_t m = 0; m < 5; ++m) {
      for (std::size_t n = 0; n < 5; ++n) CHECK(seen[m * 5 + n] == (n <= m ? 1 : 0));
    }
  }
}

TEST_CASE("the role is the argmax with the bias, ties to the lowest") {
  const float tie[3] = {1, 1, 1};
  CHECK(role_from_scores(tie, 0) == Role::global);
  CHECK(role_from_scores(tie, -0.5F) == Role::local);
  const float sliding[3] = {0.95F, 0.2F, 1.0F};
  CHECK(role_from_scores(sliding, 0) == Role::sliding);
  CHECK(role_from_scores(sliding, 0.1F) == Role::global);
}

TEST_CASE("bad arguments are refused") {
  const std::vector<Role> roles{Role::global, static_cast<Role>(3)};
  std::vector<std::int32_t> held(2);
  std::vector<std::uint8_t> seen(4);
  CHECK(held_entries(roles, 1, held).code == StatusCode::invalid_argument);
  CHECK(held_entries(std::span(roles).first(1), -1, std::span(held).first(1)).code == StatusCode::invalid_argument);
  CHECK(held_entries(roles, 1, std::span(held).first(1)).code == StatusCode::shape_mismatch);
  CHECK(visibility(roles, 1, View<std::uint8_t, 2>::packed(seen.data(), {2, 2})).code == StatusCode::invalid_argument);
  CHECK(visibility(roles, 1, View<std::uint8_t, 2>::packed(seen.data(), {1, 2})).code == StatusCode::shape_mismatch);
}

TEST_CASE("roles are counted") {
  CHECK(role_counts(std::vector<Role>{}) == std::array<std::int64_t, 3>{0, 0, 0});
  CHECK(role_counts(std::vector<Role>{Role::local, Role::global, Role::local}) == std::array<std::int64_t, 3>{1, 2, 0});
}
