// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/attention_summary.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>

namespace natscope {
namespace {

TEST_CASE("the queries of a summary are all, or an even sample in order") {
  CHECK(summary_queries(0).empty());
  for (const std::int64_t tokens : {1, 2, 17, 2896})
    CHECK(summary_queries(tokens) == std::vector<QueryRun>{{0, static_cast<std::int32_t>(tokens)}});
  for (const std::int64_t tokens : {2897, 3000, 5000, 16384, 20001, 131072, 1 << 20, 1 << 30}) {
    CAPTURE(tokens);
    const auto runs = summary_queries(tokens);
    CHECK(runs.size() >= 32);
    std::int64_t end = 0, pairs = 0, positions = 0, queries = 0;
    for (const QueryRun& run : runs) {
      REQUIRE(run.first >= end);
      end = std::int64_t{run.first} + run.count;
      REQUIRE(end <= tokens);
      queries += run.count;
      for (std::int64_t m = run.first; m < end; ++m) {
        pairs += m + 1;
        positions += m;
      }
    }
    // No end of the text counts for more than the other.
    const double middle = static_cast<double>(positions) / static_cast<double>(queries);
    CHECK(std::abs(middle - static_cast<double>(tokens) / 2) < 2);
    CHECK((runs.size() == 32 || (pairs > 3'500'000 && pairs < 4'500'000)));
  }
}

TEST_CASE("means over queries, from numbers and from rows of weights") {
  AttentionSums sums;
  CHECK(!sums.mean());
  std::array entropy{1.0F, 3.0F}, sink{0.5F, 0.25F}, self{0.0F, 0.5F}, distance{2.0F, 0.5F};
  const kernels::RowStatisticsOut rows{entropy, sink, self, distance, {}};
  sums.add(rows);
  const std::array row{0.5F, 0.25F, 0.0F, 0.25F, 0.0F};
  sums.add_row(row, 3);
  const auto mean = sums.mean();
  REQUIRE(mean);
  CHECK(mean->queries == 3);
  CHECK(mean->entropy == doctest::Approx((4 + 1.5 * std::log(2)) / 3));
  CHECK(mean->sink_weight == doctest::Approx(1.25 / 3));
  CHECK(mean->self_weight == doctest::Approx(0.75 / 3));
  CHECK(mean->distance == doctest::Approx((2.5 + 1.5 + 0.5) / 3));
  CHECK(mean->compared_queries == 0);
  CHECK(mean->lost == 0);
  entropy[1] = std::numeric_limits<float>::quiet_NaN();
  sums.add(rows);
  CHECK(!sums.mean());
}

TEST_CASE("what another run had dropped is a mean over the queries that both have") {
  AttentionSums sums;
  const std::array row{0.5F, 0.25F, 0.125F, 0.125F};
  // Key 0 is there for query 2 and gone for query 3, key 1 for none but itself; and no query 4 was read.
  const std::array<std::int32_t, 4> other{2, 1, 3, 3};
  sums.add_row(std::span(row).first(1), 0, other);
  sums.add_row(std::span(row).first(3), 2, other);
  sums.add_row(row, 3, other);
  sums.add_row(row, 4, other);
  std::array<float, 1> numbers{0.25F};
  sums.add({numbers, numbers, numbers, numbers, numbers});
  const auto mean = sums.mean();
  REQUIRE(mean);
  CHECK(mean->queries == 5);
  CHECK(mean->compared_queries == 4);
  CHECK(mean->lost == doctest::Approx((0 + 0.25 + 0.75 + 0.25) / 4));
}

}  // namespace
}  // namespace natscope
