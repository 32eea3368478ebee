// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/trace_store.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

namespace natscope {
namespace {

using kernels::View;

constexpr std::int32_t heads = 4, kv_heads = 2, head_dim = 8, tokens = 300;
constexpr std::int32_t long_text = 3500;  // beyond what all queries are summarised of
const CacheGeometry geometry{3, kv_heads, head_dim, kernels::ElementType::f32};
constexpr std::int64_t token_bytes = (heads + kv_heads) * head_dim * 4 + heads * 4;

/// Random rows of one layer, and what the map of a head must be.
struct Rows {
  std::int32_t length;
  std::vector<float> queries, keys, lse;
  std::vector<std::int32_t> last_query;

  explicit Rows(std::uint32_t seed, std::int32_t text = tokens) : length(text) {
    const auto size = static_cast<std::size_t>(length);
    queries.resize(heads * size * head_dim);
    keys.resize(kv_heads * size * head_dim);
    lse.resize(heads * size);
    last_query.resize(size);
    std::mt19937 random(seed);
    const auto fill = [&](std::vector<float>& values) {
      for (float& value : values) value = static_cast<float>(random() % 2001) * 1e-3F - 1;
    };
    fill(queries);
    fill(keys);
    fill(lse);
    for (std::int32_t n = 0; n < length; ++n)
      last_query[static_cast<std::size_t>(n)] =
          random() % 3 == 0 ? no_next_global : n + static_cast<std::int32_t>(random() % 60);
  }

  [[nodiscard]] bool sees(std::int32_t m, std::int32_t n) const {
    return n <= m && (m == n || m <= last_query[static_cast<std::size_t>(n)]);
  }
  [[nodiscard]] double weight(std::int32_t head, std::int32_t m, std::int32_t n) const {
    if (!sees(m, n)) return 0;
    double dot = 0;
    for (std::int32_t d = 0; d < head_dim; ++d) {
      dot += static_cast<double>(queries[static_cast<std::size_t>((head * length + m) * head_dim + d)]) *
             static_cast<double>(keys[static_cast<std::size_t>((head / 2 * length + n) * head_dim + d)]);
    }
    return std::exp(dot / std::sqrt(static_cast<double>(head_dim)) -
                    static_cast<double>(lse[static_cast<std::size_t>(head * length + m)]));
  }

  [[nodiscard]] Expected<void> append(TraceStore& store, std::int32_t layer, std::int32_t first, std::int32_t n) {
    const auto part = [&](std::vector<float>& rows, std::int32_t count) {
      return View<float, 3>{rows.data() + first * head_dim, {count, n, head_dim}, {length * head_dim, head_dim, 1}};
    };
    return store.append(LayerId(layer), TokenPos(first), part(queries, heads), part(keys, kv_heads),
                        View<float, 2>{lse.data() + first, {heads, n}, {length, 1}});
  }
};

TEST_CASE("tiles at the edge and inside hold exp(q·k/√D − lse) where the mask lets them") {
  TraceStore store(geometry, heads, 1 << 24);
  Rows rows(1);
  for (std::int32_t first = 0; first < tokens; first += 100) REQUIRE(rows.append(store, 1, first, 100));
  CHECK(store.used_bytes() == tokens * token_bytes);
  const std::tuple<int, int> places[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (const auto& [row, column] : places) {
    const auto tile = store.tile({LayerId(1), HeadId(3), 0, row, column}, rows.last_query);
    REQUIRE(tile);
    CHECK(tile->rows == (row == 0 ? 256 : 44));
    CHECK(tile->columns == (column == 0 ? 256 : 44));
    double error = 0;
    for (std::int32_t i = 0; i < tile->rows; ++i) {
      for (std::int32_t j = 0; j < tile->columns; ++j) {
        const float found = tile->maximum[static_cast<std::size_t>(i * tile->columns + j)];
        error = std::max(error, std::abs(static_cast<double>(found) - rows.weight(3, row * 256 + i, column * 256 + j)));
      }
    }
    CHECK(error < 1e-5);
  }
  CHECK_FALSE(store.tile({LayerId(1), HeadId(3), 0, 2, 0}, rows.last_query));
  CHECK_FALSE(store.tile({LayerId(1), HeadId(3), 0, 1, 0}, std::span(rows.last_query).first(256)));
  CHECK(store.tile({LayerId(1), HeadId(3), 0, 1, 0}, std::span(rows.last_query).first(257)));
}

/// From every weight that a query sees, in double; beside a run that read the first `common` tokens.
void check_summary(const TraceStore& store, const Rows& rows, std::int32_t length, std::int32_t common = 0) {
  const std::vector<std::int32_t> schedule = Rows(99, length).last_query;
  const auto other = std::span(schedule).first(static_cast<std::size_t>(common));
  const auto tile = store.tile({LayerId(1), HeadId(2), overview_zoom(length), 0, 0}, rows.last_query, {}, other);
  REQUIRE(tile);
  REQUIRE(tile->summary);
  AttentionSummary expected;
  for (const QueryRun& run : summary_queries(length)) {
    for (std::int32_t m = run.first; m < run.first + run.count; ++m) {
      ++expected.queries;
      for (std::int32_t n = 0; n <= m; ++n) {
        const double weight = rows.weight(2, m, n);
        if (weight > 0) expected.entropy -= weight * std::log(weight);
        expected.distance += weight * (m - n);
        const bool is_kept = n == m || schedule[static_cast<std::size_t>(n)] >= m;
        if (m < common && !is_kept) expected.lost += weight;
      }
      if (m < common) ++expected.compared_queries;
      expected.sink_weight += rows.weight(2, m, 0);
      expected.self_weight += rows.weight(2, m, m);
    }
  }
  const auto queries = static_cast<double>(expected.queries);
  CHECK(tile->summary->queries == expected.queries);
  const auto near = [&](double sum) { return doctest::Approx(sum / queries).epsilon(1e-4); };
  CHECK(tile->summary->entropy == near(expected.entropy));
  CHECK(tile->summary->sink_weight == near(expected.sink_weight));
  CHECK(tile->summary->self_weight == near(expected.self_weight));
  CHECK(tile->summary->distance == near(expected.distance));
  CHECK(tile->summary->compared_queries == expected.compared_queries);
  const auto compared = static_cast<double>(std::max<std::int64_t>(1, expected.compared_queries));
  CHECK(tile->summary->lost == doctest::Approx(expected.lost / compared).epsilon(1e-4));
  CHECK((expected.lost > 0) == (common > 1));
}

TEST_CASE("the tile of a whole map says what its head attends to, no other does") {
  TraceStore store(geometry, heads, 1 << 24);
  Rows rows(3);
  REQUIRE(rows.append(store, 1, 0, 300));
  for (const std::int32_t common : {0, 1, 150, 300}) check_summary(store, rows, 300, common);
  for (const TileKey& part : {TileKey{LayerId(1), HeadId(2), 0, 0, 0}, TileKey{LayerId(1), HeadId(2), 0, 1, 1},
                              TileKey{LayerId(1), HeadId(2), 2, 0, 0}}) {
    const auto tile = store.tile(part, rows.last_query);
    REQUIRE(tile);
    CHECK(!tile->summary);
  }
  // A weight that is no number leaves nothing to say.
  rows.lse[2 * tokens + 7] = std::nanf("");
  TraceStore broken(geometry, heads, 1 << 24);
  REQUIRE(rows.append(broken, 1, 0, 300));
  const auto tile = broken.tile({LayerId(1), HeadId(2), 1, 0, 0}, rows.last_query);
  REQUIRE(tile);
  CHECK(!tile->summary);
}

TEST_CASE("of a long text an even sample is summarised") {
  TraceStore store({2, kv_heads, head_dim, kernels::ElementType::f32}, heads, 1 << 24);
  Rows rows(4, long_text);
  REQUIRE(rows.append(store, 1, 0, long_text));
  for (const std::int32_t common : {0, 1750, long_text}) check_summary(store, rows, long_text, common);
}

TEST_CASE("a rectangle of weights, written into a wider array") {
  TraceStore store(geometry, heads, 1 << 24);
  Rows rows(2);
  REQUIRE(rows.append(store, 0, 0, tokens));
  std::vector<float> out(150 * 100, NAN);
  std::vector<std::uint8_t> seen(150 * 90, 9);
  const View<float, 2> view{out.data(), {150, 90}, {100, 1}};
  REQUIRE(store.weights(LayerId(0), HeadId(1), TokenPos(77), TokenPos(31), rows.last_query, view,
                        View<std::uint8_t, 2>::packed(seen.data(), {150, 90})));
  for (std::int32_t i = 0; i < 150; ++i) {
    for (std::int32_t j = 0; j < 90; ++j) {
      CHECK(view(i, j) == doctest::Approx(rows.weight(1, 77 + i, 31 + j)).epsilon(1e-5));
      CHECK(seen[static_cast<std::size_t>(i * 90 + j)] == (rows.sees(77 + i, 31 + j) ? 1 : 0));
    }
    for (std::size_t j = 90; j < 100; ++j) CHECK(std::isnan(out[static_cast<std::size_t>(i) * 100 + j]));
  }
  CHECK_FALSE(store.weights(LayerId(0), HeadId(1), TokenPos(151), TokenPos(31), rows.last_query, view, {}));
}

TEST_CASE("over the budget the highest layers go, whole, and do not come back before clear") {
  TraceStore store(geometry, heads, 250 * token_bytes);
  Rows rows(3);
  for (std::int32_t first = 0; first < 80; first += 40) {
    for (std::int32_t layer = 0; layer < 3; ++layer) REQUIRE(rows.append(store, layer, first, 40));
  }
  CHECK(store.has(LayerId(2)));
  CHECK(store.keeps(LayerId(2)));
  for (std::int32_t layer = 0; layer < 3; ++layer) REQUIRE(rows.append(store, layer, 80, 40));
  CHECK_FALSE(store.has(LayerId(2)));
  CHECK_FALSE(store.keeps(LayerId(2)));
  CHECK(store.tokens(LayerId(1)) == 120);
  CHECK(store.used_bytes() == 240 * token_bytes);
  REQUIRE(rows.append(store, 0, 120, 20));
  CHECK_FALSE(store.has(LayerId(1)));
  REQUIRE(rows.append(store, 1, 120, 20));
  REQUIRE(rows.append(store, 2, 120, 20));
  CHECK_FALSE(store.has(LayerId(1)));
  CHECK(store.tile({LayerId(0), HeadId(0), 0, 0, 0}, rows.last_query));
  CHECK(store.tile({LayerId(1), HeadId(0), 0, 0, 0}, rows.last_query).error().code == ErrorCode::bad_layer);
  store.clear();
  CHECK(store.used_bytes() == 0);
  CHECK(store.keeps(LayerId(2)));
  REQUIRE(rows.append(store, 2, 0, 10));
  CHECK(store.has(LayerId(2)));
  REQUIRE(rows.append(store, 2, 10, 290));  // more than there is room for at all
  CHECK_FALSE(store.has(LayerId(2)));
  CHECK(store.used_bytes() == 0);
}

TEST_CASE("of one layer alone nothing of the others is kept, and it has all the room") {
  Rows rows(9);
  TraceStore store(geometry, heads, rows.length * token_bytes, rows.length, LayerId(1));
  for (std::int32_t layer = 0; layer < 3; ++layer) {
    CHECK(store.keeps(LayerId(layer)) == (layer == 1));
    REQUIRE(rows.append(store, layer, 0, rows.length));
    CHECK(store.has(LayerId(layer)) == (layer == 1));
  }
  store.clear();
  CHECK(store.keeps(LayerId(1)));
  CHECK_FALSE(store.keeps(LayerId(2)));
}

TEST_CASE("tokens come in order, and a pass that failed can be taken back") {
  TraceStore store(geometry, heads, 1 << 24);
  Rows rows(4);
  REQUIRE(rows.append(store, 0, 0, 50));
  CHECK(rows.append(store, 0, 60, 10).error().code == ErrorCode::internal);
  store.truncate(30);
  CHECK(store.tokens(LayerId(0)) == 30);
  REQUIRE(rows.append(store, 0, 30, 270));
  const auto tile = store.tile({LayerId(0), HeadId(2), 0, 0, 0}, rows.last_query);
  REQUIRE(tile);
  CHECK(tile->maximum[static_cast<std::size_t>(40 * 256 + 40)] ==
        doctest::Approx(rows.weight(2, 40, 40)).epsilon(1e-5));
}

TEST_CASE("without a budget nothing is kept, and nothing fails") {
  for (const std::int64_t budget_bytes : {std::int64_t{0}, token_bytes - 1}) {
    TraceStore store(geometry, heads, budget_bytes);
    CHECK_FALSE(store.keeps(LayerId(0)));
    Rows rows(5);
    REQUIRE(rows.append(store, 0, 0, 50));
    CHECK_FALSE(store.has(LayerId(0)));
    CHECK(store.used_bytes() == 0);
    store.clear();
    CHECK_FALSE(store.keeps(LayerId(0)));
  }
}

TEST_CASE("a bf16 store keeps numbers of bf16 as they are and rounds others, however their heads lie") {
  CacheGeometry narrow = geometry;
  narrow.dtype = kernels::ElementType::bf16;
  for (const bool rounded : {false, true}) {
    CAPTURE(rounded);
    Rows rows(6);
    const auto round = [](float value) { return kernels::to_float(kernels::to_bf16(value)); };
    if (rounded) {
      for (float& value : rows.queries) value = round(value);
      for (float& value : rows.keys) value = round(value);
    }
    TraceStore store(narrow, heads, 1 << 24);
    REQUIRE(rows.append(store, 0, 0, tokens));
    // The same token by token, its heads one behind the other.
    TraceStore packed(narrow, heads, 1 << 24);
    for (std::int32_t n = 0; n < tokens; ++n) {
      std::vector<float> token;
      for (std::int32_t head = 0; head < heads + kv_heads; ++head) {
        const std::vector<float>& from = head < heads ? rows.queries : rows.keys;
        const std::int32_t row = (head < heads ? head : head - heads) * tokens + n;
        token.insert(token.end(), from.begin() + row * head_dim, from.begin() + (row + 1) * head_dim);
      }
      REQUIRE(packed.append(LayerId(0), TokenPos(n), View<float, 3>::packed(token.data(), {heads, 1, head_dim}),
                            View<float, 3>::packed(token.data() + heads * head_dim, {kv_heads, 1, head_dim}),
                            View<float, 2>{rows.lse.data() + n, {heads, 1}, {tokens, 1}}));
    }
    for (float& value : rows.queries) value = round(value);
    for (float& value : rows.keys) value = round(value);
    const TileKey key{LayerId(0), HeadId(3), 0, 0, 0};
    const auto tile = store.tile(key, rows.last_query);
    const auto of_packed = packed.tile(key, rows.last_query);
    REQUIRE(tile);
    REQUIRE(of_packed);
    CHECK(tile->maximum == of_packed->maximum);
    for (std::int32_t i = 0; i < tile->rows; i += 7) {
      for (std::int32_t j = 0; j < tile->columns; j += 5) {
        CHECK(tile->maximum[static_cast<std::size_t>(i * tile->columns + j)] ==
              doctest::Approx(rows.weight(3, i, j)).epsilon(1e-5));
      }
    }
  }
}

}  // namespace
}  // namespace natscope
