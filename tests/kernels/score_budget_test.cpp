// SPDX-License-Identifier: GPL-3.0-or-later
// What a rule of a prompt's end makes of scores before entries go: pooled, and spread over layers and heads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <tuple>
#include <vector>

#include "kernels/score_rule.h"
#include "tests/kernels/random_arrays.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

TEST_CASE("a pooled score is the mean over five positions, of which those outside are nothing") {
  RandomArrays random(34);
  INFO(random.how_to_repeat());
  for (const std::int64_t count : {0, 1, 2, 3, 4, 5, 31, 32, 33, 47}) {
    CAPTURE(count);
    const std::vector<float> own = random.normal(count);
    std::vector<float> pooled = own;
    pool_scores(pooled);
    for (std::int64_t n = 0; n < count; ++n) {
      double expected = 0;
      for (std::int64_t near = n - 2; near <= n + 2; ++near)
        expected += near >= 0 && near < count ? own[static_cast<std::size_t>(near)] : 0;
      CHECK(pooled[static_cast<std::size_t>(n)] == doctest::Approx(expected / 5));
    }
  }
}

TEST_CASE("layers keep less and less, on a line, and in the mean what was asked for") {
  for (const std::int32_t layers : {1, 2, 3, 4, 5, 12, 31, 32, 80}) {
    for (const std::int64_t heavy : {1, 2, 3, 7, 19, 20, 21, 39, 96, 1000}) {
      for (const std::int64_t recent : {1, 8, 32}) {
        for (const std::int64_t older : {heavy + 1, 2 * heavy - recent, 2 * heavy - 1, 2 * heavy, 5 * heavy + 3}) {
          if (older <= heavy) continue;
          CAPTURE(layers);
          CAPTURE(heavy);
          CAPTURE(recent);
          CAPTURE(older);
          std::vector<std::int64_t> kept;
          for (std::int32_t layer = 0; layer < layers; ++layer)
            kept.push_back(heavy_of_layer(heavy, older, recent, LayerId(layer), layers));
          CHECK(std::accumulate(kept.begin(), kept.end(), std::int64_t{0}) == heavy * layers);
          CHECK(std::ranges::is_sorted(kept, std::greater<>()));
          if (layers == 1 || older + recent < 2 * heavy) {
            CHECK(kept == std::vector<std::int64_t>(static_cast<std::size_t>(layers), heavy));
            continue;
          }
          const std::int64_t most = std::min(older, 2 * heavy - heavy / 20);
          CHECK(kept.front() == most);
          CHECK(kept.back() == 2 * heavy - most);
          CHECK(kept.back() >= 0);
          for (std::int32_t layer = 0; layer < layers; ++layer) {
            const double line =
                static_cast<double>(most) - 2.0 * static_cast<double>(most - heavy) * layer / (layers - 1);
            CHECK(std::abs(static_cast<double>(kept[static_cast<std::size_t>(layer)]) - line) <= 0.5);
          }
        }
      }
    }
  }
}

TEST_CASE("heads keep a fifth of their own, and share the rest by score") {
  RandomArrays random(35);
  INFO(random.how_to_repeat());
  struct Entry {
    float score;
    std::int64_t position, head;
  };
  for (const std::int64_t heads : {1, 2, 8}) {
    for (const std::int64_t heavy : {0, 1, 4, 5, 9, 10, 26}) {
      for (const std::int64_t older : {heavy, heavy + 1, 3 * heavy + 2}) {
        for (const bool with_ties : {false, true}) {
          CAPTURE(heads);
          CAPTURE(heavy);
          CAPTURE(older);
          CAPTURE(with_ties);
          std::vector<float> numbers = random.normal(heads * older);
          for (std::int64_t at = 0; at < heads * older; ++at) {
            float& score = numbers[static_cast<std::size_t>(at)];
            score *= static_cast<float>(1 + at / older);  // some heads weigh more
            if (with_ties) score = std::round(score);
          }
          // By a plain sort: first what each head keeps in any case, then the best of all, one after the other.
          std::vector<Entry> all;
          for (std::int64_t head = 0; head < heads; ++head) {
            for (std::int64_t position = 0; position < older; ++position)
              all.push_back({numbers[static_cast<std::size_t>(head * older + position)], position, head});
          }
          std::ranges::sort(all, [](const Entry& a, const Entry& b) {
            return std::tuple(-a.score, a.position, a.head) < std::tuple(-b.score, b.position, b.head);
          });
          std::vector<std::int64_t> expected(static_cast<std::size_t>(heads));
          std::vector<Entry> left;
          for (const Entry& entry : all) {
            std::int64_t& kept = expected[static_cast<std::size_t>(entry.head)];
            if (kept < heavy / 5) {
              ++kept;
            } else {
              left.push_back(entry);
            }
          }
          for (std::int64_t index = 0; index < heads * (heavy - heavy / 5); ++index)
            ++expected[static_cast<std::size_t>(left[static_cast<std::size_t>(index)].head)];

          // Rows that stand in something wider, with what must not count behind them.
          std::vector<float> rows(static_cast<std::size_t>(heads * (older + 3)), 1e9F);
          for (std::int64_t head = 0; head < heads; ++head)
            std::copy_n(numbers.begin() + head * older, older, rows.begin() + head * (older + 3));
          const auto found = heavy_of_heads({rows.data(), {heads, older}, {older + 3, 1}}, heavy);
          CHECK(found == expected);
        }
      }
    }
  }
}
