// SPDX-License-Identifier: GPL-3.0-or-later
// Sums of roles by a device's operations, in ordinary memory, against the loop over tokens.
#include "core/train/roles/role_counts.h"

#include <ATen/ops/empty.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

using namespace natscope;
using namespace natscope::train;

TEST_CASE("a device's sums of roles are those of the loop over tokens") {
  std::mt19937 random(3);
  for (const std::int64_t length : {1, 2, 7, 33, 200}) {
    for (const std::int64_t window : {0, 1, 5, 1000}) {
      for (const unsigned rare : {1U, 40U}) {  // one global in so many: segments with none, too
        CAPTURE(length);
        CAPTURE(window);
        CAPTURE(rare);
        const std::int64_t segments = 3, heads = 4;
        const at::Tensor roles = at::empty({segments, heads, length}, at::kByte);
        auto* const data = roles.data_ptr<std::uint8_t>();
        for (std::int64_t i = 0; i < roles.numel(); ++i)
          data[i] = static_cast<std::uint8_t>(random() % rare == 0 ? random() % role_count : 1 + random() % 2);
        for (const auto& [counted, tokens] : {std::pair{std::int64_t{1}, length},
                                              {segments, length},
                                              {segments, std::max<std::int64_t>(1, length - 1)}}) {
          std::vector<HeadRoles> expected(heads);
          count_roles(roles, counted, tokens, window, expected.data());
          const at::Tensor sums = role_sums(roles, counted, tokens, window);
          REQUIRE(sums.sizes() == at::IntArrayRef{heads, role_count + 1});
          for (std::int64_t head = 0; head < heads; ++head) {
            const HeadRoles& one = expected[static_cast<std::size_t>(head)];
            for (std::int64_t role = 0; role < role_count; ++role)
              CHECK(sums[head][role].item<std::int64_t>() == one.tokens[static_cast<std::size_t>(role)]);
            CHECK(sums[head][role_count].item<std::int64_t>() == one.held);
            CHECK(one.dense == counted * tokens);
            // Token by token, each segment's beginning by itself.
            HeadRoles by_hand;
            for (std::int64_t segment = 0; segment < counted; ++segment) {
              const auto* const first = reinterpret_cast<const Role*>(data) + (segment * heads + head) * length;
              count_segment({first, static_cast<std::size_t>(tokens)}, window, by_hand);
            }
            CHECK(by_hand.held == one.held);
          }
        }
      }
    }
  }
}
