// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/head_summary.h"

#include <doctest/doctest.h>

#include <random>

namespace natscope {
namespace {

using Roles = std::vector<std::vector<Role>>;  // [layers * kv_heads][T]

constexpr std::int32_t layers = 2;
constexpr std::int32_t kv_heads = 3;

std::int32_t next_global(const std::vector<Role>& roles, std::size_t n) {
  for (std::size_t j = n + 1; j < roles.size(); ++j) {
    if (roles[j] == Role::global) return static_cast<std::int32_t>(j);
  }
  return no_next_global;
}

/// Entries held after token t: counted from the rule, entry by entry (section 5 of the rules).
std::int32_t held(const std::vector<Role>& roles, std::size_t t, std::int64_t window) {
  std::int32_t count = 0;
  for (std::size_t n = 0; n <= t; ++n) {
    bool later_global = false;
    for (std::size_t j = n + 1; j <= t; ++j) later_global = later_global || roles[j] == Role::global;
    const bool stays =
        roles[n] == Role::global || (roles[n] == Role::local && !later_global) ||
        (roles[n] == Role::sliding && static_cast<std::int64_t>(n) + window >= static_cast<std::int64_t>(t) + 1);
    count += stays ? 1 : 0;
  }
  return count;
}

SequenceRecord record_of(const Roles& roles, std::int64_t window) {
  SequenceRecord record({layers, kv_heads, 8, kernels::ElementType::f32}, false, window);
  for (std::size_t t = 0; t < roles.front().size(); ++t) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(t));
    for (const auto& head : roles) {
      frame.roles.push_back(head[t]);
      frame.entries.push_back(held(head, t, window));
    }
    REQUIRE(record.append(frame));
  }
  return record;
}

TEST_CASE("a head's figures are those of the visibility rule, query by query") {
  std::mt19937 random(20261127);
  for (const std::size_t length : {std::size_t{1}, std::size_t{2}, std::size_t{31}, std::size_t{97}}) {
    for (const std::int64_t window : {0, 1, 5, 200}) {
      CAPTURE(length);
      CAPTURE(window);
      Roles roles(layers * kv_heads);
      for (auto& head : roles) {
        for (std::size_t n = 0; n < length; ++n) {
          const auto draw = random() % 10;
          head.push_back(n == 0 || draw == 0 ? Role::global : draw < 6 ? Role::local : Role::sliding);
        }
      }
      const SequenceRecord record = record_of(roles, window);
      const auto heads = head_summaries(record);
      REQUIRE(heads.size() == roles.size());
      for (std::size_t index = 0; index < roles.size(); ++index) {
        const HeadSummary& head = heads[index];
        CHECK(head.layer.value == static_cast<std::int32_t>(index) / kv_heads);
        CHECK(head.kv_head.value == static_cast<std::int32_t>(index) % kv_heads);
        std::array<std::int64_t, 3> of_role{};
        std::int64_t locals_held = 0;
        std::int64_t life = 0;
        for (std::size_t n = 0; n < length; ++n) {
          const Role role = roles[index][n];
          ++of_role[static_cast<std::size_t>(role)];
          if (role != Role::local) continue;
          // Every later query is asked whether it sees the token.
          for (std::size_t m = n + 1; m < length; ++m) {
            life += visible(role, TokenPos(static_cast<std::int32_t>(n)), TokenPos(static_cast<std::int32_t>(m)),
                            next_global(roles[index], n), window)
                        ? 1
                        : 0;
          }
          if (next_global(roles[index], n) == no_next_global) ++locals_held;
        }
        CHECK(head.role_tokens == of_role);
        CHECK(head.entries == held(roles[index], length - 1, window));
        CHECK(head.locals_held == locals_held);
        CHECK(head.local_life_tokens == life);
        CHECK(head.kv_fraction() == doctest::Approx(static_cast<double>(head.entries) / static_cast<double>(length)));
        double shares = 0;
        for (const Role role : {Role::global, Role::local, Role::sliding}) shares += head.role_share(role);
        CHECK(shares == doctest::Approx(1));
      }
    }
  }
}

TEST_CASE("a sequence without tokens has heads without figures") {
  const auto heads = head_summaries(SequenceRecord({layers, kv_heads, 8, kernels::ElementType::f32}, false, 3));
  REQUIRE(heads.size() == layers * kv_heads);
  CHECK(heads[0].entries == 0);
  CHECK(heads[0].kv_fraction() == 0);
  CHECK(heads[0].mean_local_life() == 0);
  CHECK(head_summaries(SequenceRecord()).empty());
}

}  // namespace
}  // namespace natscope
