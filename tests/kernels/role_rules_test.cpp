// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/role_rules.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

using namespace natscope;
using namespace natscope::kernels::cuda;

TEST_CASE("position 0 is the sink; elsewhere the biased argmax, ties to the lowest option") {
  const std::array<float, 3> sliding{0.0F, 0.0F, 1.0F};
  CHECK(learned_role(sliding.data(), 0.1F, 0) == Role::global);
  CHECK(learned_role(sliding.data(), 0.1F, 1) == Role::sliding);
  const std::array<float, 3> near_tie{0.5F, 0.55F, 0.0F};
  CHECK(learned_role(near_tie.data(), 0.0F, 7) == Role::local);
  CHECK(learned_role(near_tie.data(), 0.1F, 7) == Role::global);
  const std::array<float, 3> tie{0.0F, 0.25F, 0.25F};
  CHECK(learned_role(tie.data(), 0.0F, 7) == Role::local);
}

TEST_CASE("policies place globals before their sinks and at their list") {
  for (const std::vector<std::int32_t>& listed :
       {std::vector<std::int32_t>{}, {0}, {5}, {3, 9}, {1, 2, 3, 20, 21}, {0, 7, 14, 21, 28, 35}}) {
    for (const std::int64_t sinks : {0, 1, 4}) {
      for (std::int32_t position = 0; position < 40; ++position) {
        const bool is_listed = std::find(listed.begin(), listed.end(), position) != listed.end();
        CAPTURE(position);
        CHECK(placed_role(position, sinks, listed.data(), static_cast<std::int32_t>(listed.size())) ==
              (position < sinks || is_listed ? Role::global : Role::sliding));
      }
    }
  }
  CHECK(placed_role(1'000'000, no_next_global, nullptr, 0) == Role::global);
}
