// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_tile.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/attention_map_case.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/tested_backend.h"
#include "tests/support/case_turns.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

struct Tile {
  std::int64_t rows;
  std::int64_t cols;
  GuardedArray maximum;
  GuardedArray mean;
  GuardedArray visible;

  Tile(std::int64_t tile_rows, std::int64_t tile_cols)
      : rows(tile_rows), cols(tile_cols), maximum(rows * cols), mean(rows * cols), visible(rows * cols) {}

  Status compute(const MapBackend& backend, const AttentionMapSource& source, std::int32_t query, std::int32_t key,
                 int zoom) {
    const auto view = [this](GuardedArray& array) { return View<float, 2>::packed(array.data(), {rows, cols}); };
    return backend.tile(source, TokenPos(query), TokenPos(key), zoom, view(maximum), view(mean), view(visible));
  }
};

/// Every cell against the dense map.
void check_tile(const AttentionMapCase& map, const Tile& tile, std::int64_t query, std::int64_t key, int zoom) {
  const std::int64_t side = std::int64_t{1} << zoom;
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    for (std::int64_t j = 0; j < tile.cols; ++j) {
      double largest = 0;
      double sum = 0;
      std::int64_t seen = 0;
      std::int64_t pairs = 0;
      for (std::int64_t m = query + i * side; m < std::min(query + (i + 1) * side, map.tokens); ++m) {
        for (std::int64_t n = key + j * side; n < std::min(key + (j + 1) * side, m + 1); ++n) {
          ++pairs;
          if (!map.sees(m, n)) continue;
          ++seen;
          sum += map.weight(m, n);
          largest = std::max(largest, map.weight(m, n));
        }
      }
      const std::int64_t cell = i * tile.cols + j;
      const auto close = [](double a, double b) { return b == 0 ? a == 0 : std::abs(a - b) <= 1e-5 * b; };
      if (!close(static_cast<double>(tile.maximum[cell]), largest)) ++wrong;
      if (!close(static_cast<double>(tile.mean[cell]), seen > 0 ? sum / static_cast<double>(seen) : 0)) ++wrong;
      if (!close(static_cast<double>(tile.visible[cell]),
                 pairs > 0 ? static_cast<double>(seen) / static_cast<double>(pairs) : 0))
        ++wrong;
    }
  }
  CHECK(wrong == 0);
  CHECK((tile.maximum.guards_hold() && tile.mean.guards_hold() && tile.visible.guards_hold()));
}

}  // namespace

TEST_CASE("tiles at every zoom and place hold the dense map's maximum, mean and share") {
  RandomArrays random(61);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const std::int64_t tokens : {0, 1, 31, 33, 150}) {
      for (const std::int64_t head_dim : {8, 10, 64, 72}) {
        for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
          const AttentionMapCase map = random_map(random, tokens, head_dim, 7, dtype, {1, 2, 2});
          for (const int zoom : {0, 1, 2, 5, 31}) {
            for (const std::int32_t query : {0, 13, 100, 400}) {
              for (const std::int32_t key : {0, 5, 64}) {
                if (!turns.next()) continue;
                CAPTURE(tokens);
                CAPTURE(zoom);
                CAPTURE(query);
                CAPTURE(key);
                Tile tile(19, 33);
                REQUIRE(tile.compute(backend, map.source(), query, key, zoom).ok());
                check_tile(map, tile, query, key, zoom);
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("dense, sliding-only and local-only heads") {
  RandomArrays random(62);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    for (const std::vector<double>& shares : {std::vector<double>{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 30, 30}}) {
      const AttentionMapCase map = random_map(random, 300, 32, 16, ElementType::bf16, shares);
      for (const int zoom : {0, 1, 3, 6, 7}) {
        Tile tile(64, 64);
        REQUIRE(tile.compute(backend, map.source(), 120, 90, zoom).ok());
        check_tile(map, tile, 120, 90, zoom);
      }
    }
  }
}

TEST_CASE("one cell of a whole long map loses none of its many small weights") {
  // Every query attends to all that it sees alike: each row's weights sum to 1.
  constexpr std::int64_t tokens = 20'000;
  constexpr std::int64_t head_dim = 8;
  const std::vector<float> zeros(tokens * head_dim);
  std::vector<float> lse;
  for (std::int64_t m = 0; m < tokens; ++m) lse.push_back(static_cast<float>(std::log(static_cast<double>(m + 1))));
  const std::vector<std::int32_t> last_query(tokens, std::int32_t{tokens});
  const StoredRows rows{zeros.data(), ElementType::f32, tokens, head_dim, head_dim};
  for (const MapBackend& backend : map_backends()) {
    if (backend.name != std::string("cpu")) continue;  // the others add in double, and take their time for it
    Tile tile(1, 1);
    REQUIRE(tile.compute(backend, {rows, rows, lse, last_query}, 0, 0, 15).ok());
    CHECK(std::abs(static_cast<double>(tile.mean[0]) * (tokens + 1) / 2 - 1) < 3e-6);
    CHECK(tile.visible[0] == 1.0F);
    CHECK(tile.maximum[0] == doctest::Approx(1));
  }
}

TEST_CASE("an empty tile and bad arguments") {
  RandomArrays random(63);
  INFO(random.how_to_repeat());
  for (const MapBackend& backend : map_backends()) {
    CAPTURE(backend.name);
    const AttentionMapCase map = random_map(random, 5, 8, 2, ElementType::f32, {1, 1, 1});
    Tile none(0, 4);
    CHECK(none.compute(backend, map.source(), 0, 0, 0).ok());
    Tile tile(2, 2);
    CHECK(tile.compute(backend, map.source(), 0, 0, -1).code == StatusCode::invalid_argument);
    CHECK(tile.compute(backend, map.source(), 0, 0, 32).code == StatusCode::invalid_argument);
    CHECK(tile.compute(backend, map.source(), -1, 0, 0).code == StatusCode::invalid_argument);
    AttentionMapSource source = map.source();
    source.lse = source.lse.first(4);
    CHECK(tile.compute(backend, source, 0, 0, 0).code == StatusCode::shape_mismatch);
    source = map.source();
    source.keys.cols = 7;
    CHECK(tile.compute(backend, source, 0, 0, 0).code == StatusCode::shape_mismatch);
    CHECK_FALSE(tile.maximum.all_written());
  }
}
