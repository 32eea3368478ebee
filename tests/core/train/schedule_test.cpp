// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/schedule.h"

#include <doctest/doctest.h>

using natscope::train::learning_rate;
using natscope::train::Schedule;

TEST_CASE("the rate rises in a straight line, stands at its peak, and ends at the final ratio") {
  const Schedule schedule{2e-3, 0.1, 100, 1100};
  CHECK(learning_rate(schedule, 1) == doctest::Approx(2e-5));
  CHECK(learning_rate(schedule, 50) == doctest::Approx(1e-3));
  CHECK(learning_rate(schedule, 100) == doctest::Approx(2e-3));
  CHECK(learning_rate(schedule, 600) == doctest::Approx(1.1e-3));  // half of the cosine: the mean of both ends
  CHECK(learning_rate(schedule, 1100) == doctest::Approx(2e-4));
}

TEST_CASE("the rate never rises after the warm-up") {
  const Schedule schedule{1e-3, 0.0, 7, 50};
  for (int step = 8; step <= 50; ++step) CHECK(learning_rate(schedule, step) <= learning_rate(schedule, step - 1));
  CHECK(learning_rate(schedule, 50) == doctest::Approx(0.0));
}

TEST_CASE("runs without a warm-up, and runs that are all warm-up, have finite rates") {
  CHECK(learning_rate({1e-3, 0.1, 0, 1}, 1) == doctest::Approx(1e-4));
  CHECK(learning_rate({1e-3, 0.1, 100, 10}, 10) == doctest::Approx(1e-4));
}
