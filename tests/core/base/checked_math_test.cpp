// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/checked_math.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace natscope {
namespace {

TEST_CASE("sums and products that do not fit are nothing") {
  CHECK(checked_add<std::uint64_t>(UINT64_MAX, 0) == UINT64_MAX);
  CHECK_FALSE(checked_add<std::uint64_t>(UINT64_MAX, 1));
  CHECK(checked_mul<std::uint64_t>(1ULL << 32U, 1ULL << 31U) == 1ULL << 63U);
  CHECK_FALSE(checked_mul<std::uint64_t>(1ULL << 32U, 1ULL << 32U));
  CHECK_FALSE(checked_mul<std::int64_t>(INT64_MIN, -1));
}

TEST_CASE("the product of a shape") {
  using Shape = std::vector<std::int64_t>;
  CHECK(checked_product(Shape{}, 4) == 4);
  CHECK(checked_product(Shape{2, 3}, 4) == 24);
  CHECK(checked_product(Shape{2, 0, 3}, 4) == 0);
  CHECK_FALSE(checked_product(Shape{-1}, 4));
  CHECK_FALSE(checked_product(Shape{0, -1}, 4));
  CHECK_FALSE(checked_product(Shape{INT64_MAX, 2}, 4));
  // A zero does not excuse the rest.
  CHECK_FALSE(checked_product(Shape{0, INT64_MAX, INT64_MAX}, 1));
}

}  // namespace
}  // namespace natscope
