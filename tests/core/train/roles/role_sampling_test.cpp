// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/roles/role_sampling.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/train/roles/role_statistics.h"

using namespace natscope;
using namespace natscope::train;

TEST_CASE("sampled roles follow the softmax of the scores") {
  const RoleShape shape{1, 30000, 1};
  const std::array<double, 3> wanted{0.2, 0.3, 0.5};
  std::vector<float> scores;
  for (std::int64_t n = 0; n < shape.rows(); ++n) {
    for (const double p : wanted) scores.push_back(static_cast<float>(std::log(p)));
  }
  std::vector<Role> roles(30000);
  std::vector<float> probabilities(scores.size());
  sample_roles(shape, scores.data(), CounterRandom(3, random_purpose::role_noise), 0, roles.data(),
               probabilities.data());
  HeadRoles counted;
  count_segment(roles, 4, counted);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(share(counted, static_cast<Role>(i)) == doctest::Approx(wanted[i]).epsilon(0.03));
  }
  CHECK(roles.front() == Role::global);
  CHECK(roles.back() == Role::global);
}

TEST_CASE("noise belongs to the row of the step, not to the micro-batch") {
  const RoleShape whole{2, 16, 2};
  const RoleShape half{1, 16, 2};
  const std::vector<float> scores(32 * 6, 0.0F);
  std::vector<Role> together(64), apart(64);
  std::vector<float> probabilities(scores.size());
  const CounterRandom noise(1, random_purpose::role_noise, 7, 2);
  sample_roles(whole, scores.data(), noise, 0, together.data(), probabilities.data());
  sample_roles(half, scores.data(), noise, 0, apart.data(), probabilities.data());
  sample_roles(half, scores.data(), noise, 16, apart.data() + 32, probabilities.data());
  CHECK(together == apart);
}

TEST_CASE("inference takes the largest score, ties to the lowest option, position 0 global") {
  const RoleShape shape{1, 4, 1};
  const std::vector<float> scores{0, 1, 2, 0, 0, 0, -0.05F, 0, 0, -0.2F, 0, 0};
  std::vector<Role> roles(4);
  argmax_roles(shape, scores.data(), 0.1F, roles.data());
  CHECK(roles == std::vector<Role>{Role::global, Role::global, Role::global, Role::local});
  argmax_roles(shape, scores.data(), 0.0F, roles.data());
  CHECK(roles == std::vector<Role>{Role::global, Role::global, Role::local, Role::local});
}

TEST_CASE("the scores' gradient goes through the softmax and stops at forced positions") {
  const RoleShape shape{1, 3, 1};
  const std::vector<float> d_roles{5, 6, 7, 1, 2, 4, 5, 6, 7};
  const std::vector<float> y{0.2F, 0.3F, 0.5F, 0.2F, 0.3F, 0.5F, 0.2F, 0.3F, 0.5F};
  std::vector<float> d_scores(9, NAN);
  role_scores_backward(shape, d_roles.data(), y.data(), d_scores.data());
  const double mean = 0.2 * 1 + 0.3 * 2 + 0.5 * 4;
  const double expected[9] = {0, 0, 0, 0.2 * (1 - mean), 0.3 * (2 - mean), 0.5 * (4 - mean), 0, 0, 0};
  for (std::size_t i = 0; i < 9; ++i) CHECK(static_cast<double>(d_scores[i]) == doctest::Approx(expected[i]));
}

TEST_CASE("the KV fraction counts what the cache would hold after the last token") {
  using enum Role;
  HeadRoles sums;
  // Held after position 5 with W = 2: 0 (G), 3 (G), 4 (L without a later G), 5 (S). 1 ends at 3, 2 has slid out.
  count_segment(std::vector<Role>{global, local, sliding, global, local, sliding}, 2, sums);
  CHECK(sums.held == 4);
  CHECK(sums.dense == 6);
  CHECK(kv_fraction(sums) == doctest::Approx(4.0 / 6.0));
  CHECK(share(sums, local) == doctest::Approx(2.0 / 6.0));
  CHECK(kv_fraction(HeadRoles{}) == 0.0);
}

TEST_CASE("locals can be charged until the global that inference would choose") {
  using enum Role;
  const RoleShape shape{1, 6, 1};
  const std::vector<Role> sampled{global, local, global, local, sliding, global};
  const std::vector<Role> chosen{global, local, local, local, global, sliding};
  std::vector<float> d_roles(18, 1.0F);
  charge_locals_as_chosen(shape, sampled.data(), chosen.data(), 6.0, d_roles.data());
  // next_global: sampled 2 2 5 5 5 (5), chosen 4 4 4 4 (5) (5); the difference times 6 / T = 1 goes to the locals
  // alone.
  const std::array<float, 6> expected{3, 3, 0, 0, 1, 1};
  for (std::size_t n = 0; n < 6; ++n) {
    CHECK(d_roles[3 * n] == 1.0F);
    CHECK(d_roles[3 * n + 1] == expected[n]);
    CHECK(d_roles[3 * n + 2] == 1.0F);
  }
}
