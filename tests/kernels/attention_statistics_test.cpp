// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/attention_map_case.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/tested_backend.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

/// One array of each kind, [count].
struct Outputs {
  explicit Outputs(std::int64_t count) : entropy(count), sink(count), self(count), distance(count), lost(count) {}

  GuardedArray entropy, sink, self, distance, lost;

  [[nodiscard]] RowStatisticsOut out() {
    return {entropy.span(), sink.span(), self.span(), distance.span(), lost.span()};
  }
  [[nodiscard]] bool guards_hold() const {
    return entropy.guards_hold() && sink.guards_hold() && self.guards_hold() && distance.guards_hold() &&
           lost.guards_hold();
  }
};

TokenPos position(std::int64_t value) { return TokenPos(static_cast<std::int32_t>(value)); }

/// A map of these weights exactly: queries of 1, keys whose product with them is the logarithm of a query's weight.
AttentionMapCase map_of_equal_weights(std::int64_t tokens) {
  AttentionMapCase map;
  map.tokens = tokens;
  map.queries.assign(static_cast<std::size_t>(tokens * map.head_dim), 0.0F);
  map.keys = map.queries;
  for (std::int64_t m = 0; m < tokens; ++m) {
    map.lse.push_back(std::log(static_cast<float>(m + 1)));
    map.last_query.push_back(no_next_global);
  }
  return map;
}

}  // namespace

TEST_CASE("entropy, sink and self weight, distance and what is lost are those of the dense rows") {
  RandomArrays random(81);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    for (const std::int64_t tokens : {1, 2, 31, 32, 33, 151}) {
      for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
        for (const std::vector<double>& shares : {std::vector<double>{1, 0, 0}, {0, 0, 1}, {1, 2, 2}}) {
          CAPTURE(tokens);
          const AttentionMapCase map = random_map(random, tokens, 24, 6, dtype, shares);
          // What another run drops: mostly with a window of 3, so that something is lost of every map.
          const std::vector<std::int32_t> other =
              random_map(random, tokens, 4, 3, ElementType::f32, {1, 2, 6}).last_query;
          const std::int64_t first = tokens / 3;
          Outputs is(tokens - first);
          REQUIRE(backend.statistics(map.source(), position(first), other, is.out()).ok());
          for (std::int64_t m = first; m < tokens; ++m) {
            double entropy = 0;
            double distance = 0;
            double lost = 0;
            for (std::int64_t n = 0; n <= m; ++n) {
              if (!map.sees(m, n)) continue;
              const double weight = map.weight(m, n);
              if (weight > 0) entropy -= weight * std::log(weight);
              distance += weight * static_cast<double>(m - n);
              const bool is_kept = n == m || m <= other[static_cast<std::size_t>(n)];
              if (!is_kept) lost += weight;
            }
            CHECK(is.entropy[m - first] == doctest::Approx(entropy).epsilon(2e-5));
            CHECK(is.sink[m - first] == doctest::Approx(std::max(map.weight(m, 0), 0.0)).epsilon(1e-5));
            CHECK(is.self[m - first] == doctest::Approx(map.weight(m, m)).epsilon(1e-5));
            CHECK(is.distance[m - first] == doctest::Approx(distance).epsilon(2e-5));
            CHECK(is.lost[m - first] == doctest::Approx(lost).epsilon(1e-5));
          }
          CHECK(is.guards_hold());
        }
      }
    }
  }
}

TEST_CASE("equal weights on m + 1 keys lie m / 2 away, and what a window leaves out of them is counted") {
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    constexpr std::int64_t tokens = 200;
    constexpr std::int64_t window = 37;
    const AttentionMapCase map = map_of_equal_weights(tokens);
    std::vector<std::int32_t> other;
    for (std::int32_t n = 0; n < tokens; ++n) other.push_back(n + window);
    Outputs is(tokens);
    REQUIRE(backend.statistics(map.source(), TokenPos(0), other, is.out()).ok());
    for (std::int64_t m = 0; m < tokens; ++m) {
      const auto seen = static_cast<double>(m + 1);
      CHECK(is.distance[m] == doctest::Approx(static_cast<double>(m) / 2).epsilon(1e-5));
      CHECK(is.lost[m] == doctest::Approx(1 - std::min(seen, window + 1.0) / seen).epsilon(1e-5));
    }
  }
}

TEST_CASE("nothing is lost to the same schedule, nor of a token's weight on itself") {
  RandomArrays random(83);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    const AttentionMapCase map = random_map(random, 131, 8, 5, ElementType::f32, {1, 2, 2});
    Outputs is(131);
    REQUIRE(backend.statistics(map.source(), TokenPos(0), map.last_query, is.out()).ok());
    for (std::int64_t m = 0; m < 131; ++m) CHECK(is.lost[m] == 0);
    // Another run that has dropped everything at once.
    const std::vector<std::int32_t> nothing(131, -1);
    REQUIRE(backend.statistics(map.source(), TokenPos(0), nothing, is.out()).ok());
    for (std::int64_t m = 0; m < 131; ++m) CHECK(is.lost[m] == doctest::Approx(1 - map.weight(m, m)).epsilon(1e-5));
  }
}

TEST_CASE("any of the outputs may be left out; sizes are checked") {
  RandomArrays random(82);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    const AttentionMapCase map = random_map(random, 9, 8, 2, ElementType::f32, {1, 1, 1});
    GuardedArray sink(4);
    GuardedArray self(3);
    GuardedArray lost(3);
    const auto statistics = [&](std::int64_t first, std::span<const std::int32_t> other, const RowStatisticsOut& out) {
      return backend.statistics(map.source(), position(first), other, out).code;
    };
    const std::span<const std::int32_t> other(map.last_query);
    CHECK(statistics(5, {}, {.sink_weight = sink.span()}) == StatusCode::ok);
    CHECK(sink.all_written());
    CHECK(statistics(0, {}, {}) == StatusCode::ok);
    // A schedule may end with the last query.
    CHECK(statistics(4, other.first(7), {.lost = lost.span()}) == StatusCode::ok);
    CHECK(lost.all_written());
    CHECK(statistics(4, other.first(6), {.lost = lost.span()}) == StatusCode::shape_mismatch);
    CHECK(statistics(0, {}, {.sink_weight = sink.span(), .self_weight = self.span()}) == StatusCode::shape_mismatch);
    CHECK(statistics(0, {}, {.sink_weight = sink.span(), .distance = self.span()}) == StatusCode::shape_mismatch);
    CHECK(statistics(6, {}, {.sink_weight = sink.span()}) == StatusCode::shape_mismatch);
    CHECK(statistics(-1, {}, {.sink_weight = sink.span()}) == StatusCode::invalid_argument);
  }
}
