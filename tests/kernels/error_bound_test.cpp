// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/error_bound.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/kernels/guarded_array.h"

using namespace natscope::test;

namespace {

double error_of(const std::vector<float>& values, const std::vector<double>& truth) {
  return largest_error(std::span<const float>(values), std::span<const double>(truth));
}

}  // namespace

TEST_CASE("the largest error is found wherever it stands") {
  CHECK(error_of({}, {}) == 0);
  CHECK(error_of({1, 2, 3}, {1, 2, 3}) == 0);
  CHECK(error_of({1, 2, 3}, {1.5, 2, 3}) == doctest::Approx(0.5));
  CHECK(error_of({1, 2, 3}, {1, 2, 2.75}) == doctest::Approx(0.25));
}

TEST_CASE("what is not a number never passes") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(std::isinf(error_of({1, nan}, {1, 1})));
  CHECK(std::isinf(error_of({nan}, {static_cast<double>(nan)})));
  CHECK(std::isinf(error_of({inf}, {1})));
  CHECK(std::isinf(error_of({1, 2}, {1})));
}

TEST_CASE("twice the plain error is allowed, and no more") {
  CHECK(allowed_error(0.5, 1) == 1.0);
  CHECK(allowed_error(0, 1) < 3e-7);
  CHECK(allowed_error(0, 0) == 0);
}

TEST_CASE("a guarded array tells of writes outside and of gaps") {
  GuardedArray array(3);
  CHECK_FALSE(array.all_written());
  array.data()[0] = array.data()[1] = array.data()[2] = 1;
  CHECK(array.all_written());
  CHECK(array.guards_hold());
  array.data()[3] = 0;
  CHECK_FALSE(array.guards_hold());
  GuardedArray before(0);
  CHECK(before.all_written());
  before.data()[-1] = 0;
  CHECK_FALSE(before.guards_hold());
}
