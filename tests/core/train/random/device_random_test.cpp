// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/random/device_random.h"

#include <ATen/ops/equal.h>
#include <doctest/doctest.h>

#include <cmath>

#include "core/train/roles/device_role_attention.h"

using namespace natscope::train;

DOCTEST_TEST_CASE("numbers that LibTorch draws are CounterRandom's, bit for bit") {
  for (const std::uint64_t seed : {0ULL, 7ULL, 0xffffffffffffffffULL}) {
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{31}, std::int64_t{1} << 40}) {
      const CounterRandom random(seed, random_purpose::role_noise, 3, 2);
      const at::Tensor numbers = uniform_numbers(random, first, 1009, at::kCPU);
      const auto* const drawn = static_cast<const float*>(numbers.data_ptr());
      for (std::int64_t i = 0; i < 1009; ++i)
        DOCTEST_REQUIRE(drawn[i] == random.uniform(static_cast<std::uint64_t>(first + i)));
    }
  }
  DOCTEST_CHECK(uniform_numbers({1, 2}, 5, 0, at::kCPU).numel() == 0);
}

DOCTEST_TEST_CASE("a micro-batch's noise is that of its rows in the step") {
  const CounterRandom random(5, random_purpose::role_noise, 1, 1);
  const at::Tensor whole = role_noise(3, 16, 2, random, 0, at::kCPU);
  const at::Tensor last = role_noise(1, 16, 2, random, 32, at::kCPU);
  DOCTEST_CHECK(at::equal(whole.select(0, 2), last.select(0, 0)));
  const auto* const noise = static_cast<const float*>(whole.data_ptr());
  for (std::uint64_t i = 0; i < 3 * 16 * 6; ++i)
    DOCTEST_CHECK(noise[i] == doctest::Approx(-std::log(-std::log(random.uniform(i)))).epsilon(1e-5));
}
