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

TEST_CASE("entropy, sink and self weight are those of the dense rows") {
  RandomArrays random(81);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    for (const std::int64_t tokens : {1, 31, 33, 151}) {
      for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
        for (const std::vector<double>& shares : {std::vector<double>{1, 0, 0}, {0, 0, 1}, {1, 2, 2}}) {
          const AttentionMapCase map = random_map(random, tokens, 24, 6, dtype, shares);
          const std::int64_t first = tokens / 3;
          GuardedArray entropy(tokens - first);
          GuardedArray sink(tokens - first);
          GuardedArray self(tokens - first);
          REQUIRE(backend
                      .statistics(map.source(), TokenPos(static_cast<std::int32_t>(first)), entropy.span(), sink.span(),
                                  self.span())
                      .ok());
          for (std::int64_t m = first; m < tokens; ++m) {
            double expected = 0;
            for (std::int64_t n = 0; n <= m; ++n) {
              if (map.sees(m, n) && map.weight(m, n) > 0) expected -= map.weight(m, n) * std::log(map.weight(m, n));
            }
            CHECK(entropy[m - first] == doctest::Approx(expected).epsilon(2e-5));
            CHECK(sink[m - first] == doctest::Approx(std::max(map.weight(m, 0), 0.0)).epsilon(1e-5));
            CHECK(self[m - first] == doctest::Approx(map.weight(m, m)).epsilon(1e-5));
          }
          CHECK((entropy.guards_hold() && sink.guards_hold() && self.guards_hold()));
        }
      }
    }
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
    CHECK(backend.statistics(map.source(), TokenPos(5), {}, sink.span(), {}).ok());
    CHECK(sink.all_written());
    CHECK(backend.statistics(map.source(), TokenPos(0), {}, {}, {}).ok());
    CHECK(backend.statistics(map.source(), TokenPos(0), {}, sink.span(), self.span()).code ==
          StatusCode::shape_mismatch);
    CHECK(backend.statistics(map.source(), TokenPos(6), {}, sink.span(), {}).code == StatusCode::shape_mismatch);
    CHECK(backend.statistics(map.source(), TokenPos(-1), {}, sink.span(), {}).code == StatusCode::invalid_argument);
  }
}
