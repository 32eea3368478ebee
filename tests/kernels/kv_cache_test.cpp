// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/kv_cache.h"
#include "kernels/attention_decode.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "tests/kernels/random_arrays.h"

using namespace natscope;
using namespace natscope::kernels;
using natscope::test::RandomArrays;

namespace {

const LayerId layer0(0);
const KvHeadId head0(0);

/// Every position has keys and values of its own, exact in bf16, so that an entry can be told by its content.
float content(std::int32_t position, std::int64_t d, bool is_key) {
  return static_cast<float>(position % 101) + (is_key ? 0.0F : 0.5F) * (d % 2 == 0 ? 1.0F : -1.0F);
}

Status append_tokens(KvCache& cache, LayerId layer, KvHeadId head, std::int32_t first, std::span<const Role> roles) {
  const std::int64_t head_dim = cache.shape().head_dim;
  const auto rows = static_cast<std::int64_t>(roles.size());
  std::vector<float> keys(static_cast<std::size_t>(rows * head_dim));
  std::vector<float> values(keys.size());
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t d = 0; d < head_dim; ++d) {
      keys[static_cast<std::size_t>(row * head_dim + d)] = content(first + static_cast<std::int32_t>(row), d, true);
      values[static_cast<std::size_t>(row * head_dim + d)] = content(first + static_cast<std::int32_t>(row), d, false);
    }
  }
  return cache.append(layer, head, TokenPos(first), roles, ConstView<float, 2>::packed(keys.data(), {rows, head_dim}),
                      ConstView<float, 2>::packed(values.data(), {rows, head_dim}));
}

/// Section 5, counted from the roles: positions that a query after the last token can see.
std::map<std::int32_t, Role> expected_entries(std::span<const Role> roles, std::int64_t window) {
  std::map<std::int32_t, Role> held;
  const auto tokens = static_cast<std::int32_t>(roles.size());
  for (std::int32_t n = 0; n < tokens; ++n) {
    const Role role = roles[static_cast<std::size_t>(n)];
    const bool global_follows = std::find(roles.begin() + n + 1, roles.end(), Role::global) != roles.end();
    const bool stays = role == Role::global || (role == Role::local && !global_follows) ||
                       (role == Role::sliding && n + window >= tokens);
    if (stays) held[n] = role;
  }
  return held;
}

float stored(const void* data, ElementType dtype, std::int64_t index) {
  return dtype == ElementType::f32 ? static_cast<const float*>(data)[index]
                                   : to_float(static_cast<const Bf16*>(data)[index]);
}

/// The cache's head against the expected entries: positions, roles, contents, page by page without holes, bytes.
void check_head(const KvCache& cache, LayerId layer, KvHeadId head, const std::map<std::int32_t, Role>& expected) {
  const KvCacheShape& shape = cache.shape();
  std::map<std::int32_t, Role> found;
  std::array<std::int64_t, 3> by_role{};
  const std::int64_t pages = cache.page_count(layer, head);
  for (std::int64_t index = 0; index < pages; ++index) {
    const KvPage page = cache.page(layer, head, index);
    REQUIRE(page.count > 0);
    if (index + 1 < pages) REQUIRE(page.count == shape.page_entries);
    for (std::int32_t slot = 0; slot < page.count; ++slot) {
      REQUIRE(found.emplace(page.positions[slot], page.roles[slot]).second);
      ++by_role[static_cast<std::size_t>(page.roles[slot])];
      bool same = true;
      for (std::int64_t d = 0; d < shape.head_dim; ++d) {
        same =
            same && stored(page.keys, shape.dtype, slot * shape.head_dim + d) == content(page.positions[slot], d, true);
        same = same &&
               stored(page.values, shape.dtype, slot * shape.head_dim + d) == content(page.positions[slot], d, false);
      }
      CHECK(same);
    }
  }
  CHECK(found == expected);
  CHECK(cache.entries(layer, head) == static_cast<std::int64_t>(expected.size()));
  CHECK(cache.entries_by_role(layer, head) == by_role);
}

std::int64_t page_bytes(const KvCacheShape& shape) {
  const std::int64_t bytes = 2 * shape.page_entries * shape.head_dim * element_bytes(shape.dtype);
  return (bytes + 63) / 64 * 64;
}

std::unique_ptr<KvCache> make_cache(const KvCacheShape& shape, std::int64_t window, bool scores = false) {
  std::unique_ptr<KvCache> cache;
  REQUIRE(KvCache::create(shape, cache).ok());
  cache->reset(window, scores);
  return cache;
}

void run_random(RandomArrays& random, std::int64_t window, std::int32_t page_entries, std::vector<double> shares) {
  const KvCacheShape shape{2, 3, 8, window % 2 == 0 ? ElementType::f32 : ElementType::bf16, page_entries};
  const auto cache = make_cache(shape, window);
  std::vector<std::vector<Role>> roles(6);
  for (std::int32_t first = 0; first < 160;) {
    const auto chunk = static_cast<std::int32_t>(random.between(0, 1) == 0 ? 1 : random.between(0, 50));
    std::int64_t total = 0;
    std::int64_t pages = 0;
    for (std::int32_t index = 0; index < 6; ++index) {
      const LayerId layer(index / 3);
      const KvHeadId head(index % 3);
      std::vector<Role>& history = roles[static_cast<std::size_t>(index)];
      const std::vector<Role> added = random.roles(chunk, shares);
      history.insert(history.end(), added.begin(), added.end());
      REQUIRE(append_tokens(*cache, layer, head, first, added).ok());
      check_head(*cache, layer, head, expected_entries(history, window));
      total += cache->entries(layer, head);
      pages += (cache->entries(layer, head) + page_entries - 1) / page_entries;
    }
    first += chunk;
    CHECK(cache->total_entries() == total);
    CHECK(cache->allocated_bytes() == pages * page_bytes(shape));
  }
}

}  // namespace

TEST_CASE("after every append a head holds exactly what the next query can see") {
  RandomArrays random(31);
  INFO(random.how_to_repeat());
  const std::vector<std::vector<double>> mixes{{1, 1, 1}, {0, 1, 1}, {1, 20, 20}, {0, 0, 1}, {0, 1, 0}, {1, 0, 0}};
  for (const std::int64_t window : {0, 1, 2, 7, 16, 33, 1000}) {
    for (const std::int32_t page_entries : {1, 4, 32}) {
      for (const std::vector<double>& shares : mixes) {
        CAPTURE(window);
        CAPTURE(page_entries);
        run_random(random, window, page_entries, shares);
      }
    }
  }
}

TEST_CASE("a bf16 cache rounds to nearest, ties to even, and keeps what is no number") {
  // Halfway between two neighbours of 8 bits, a little past it, an infinity that rounding must not make, and a NaN.
  const std::vector<float> numbers{1.00390625F,  1.01171875F, 1.00390637F,
                                   -1.01171875F, 3.3e38F,     std::numeric_limits<float>::infinity(),
                                   1e-40F,       0.1F,        std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> expected{1.0F, 1.015625F, 1.0078125F, -1.015625F};
  const auto head_dim = static_cast<std::int32_t>(numbers.size());
  const auto cache = make_cache({1, 1, head_dim, ElementType::bf16, 2}, 2);
  const auto row = ConstView<float, 2>::packed(numbers.data(), {1, head_dim});
  REQUIRE(cache->append(layer0, head0, TokenPos(0), std::vector<Role>{Role::global}, row, row).ok());
  const KvPage page = cache->page(layer0, head0, 0);
  for (const void* rows : {page.keys, page.values}) {
    for (std::int32_t d = 0; d < head_dim; ++d) {
      CAPTURE(d);
      const float found = stored(rows, ElementType::bf16, d);
      const auto at = static_cast<std::size_t>(d);
      if (at < expected.size()) CHECK(found == expected[at]);
      CHECK(static_cast<const Bf16*>(rows)[d].bits == to_bf16(numbers[at]).bits);
    }
  }
}

TEST_CASE("an append that finds no memory leaves the head as it was") {
  const std::vector<Role> roles{Role::global, Role::local, Role::local, Role::sliding, Role::sliding, Role::global,
                                Role::local,  Role::local, Role::local, Role::local,   Role::local,   Role::local};
  KvCacheShape shape{1, 1, 16, ElementType::f32, 2};
  shape.limit_bytes = 3 * page_bytes(shape);
  const auto cache = make_cache(shape, 2);
  const std::span<const Role> all(roles);
  REQUIRE(append_tokens(*cache, layer0, head0, 0, all.first(5)).ok());
  const auto before = expected_entries(all.first(5), 2);
  CHECK(append_tokens(*cache, layer0, head0, 5, all.subspan(5)).code == StatusCode::out_of_memory);
  check_head(*cache, layer0, head0, before);
  CHECK(cache->allocated_bytes() == 3 * page_bytes(shape));
  // What fits still goes in afterwards: the global token frees the two locals.
  REQUIRE(append_tokens(*cache, layer0, head0, 5, all.subspan(5, 2)).ok());
  check_head(*cache, layer0, head0, expected_entries(all.first(7), 2));
}

TEST_CASE("reset drops everything and begins at position 0") {
  const auto cache = make_cache({1, 2, 8, ElementType::f32, 4}, 3);
  const std::vector<Role> roles(9, Role::global);
  REQUIRE(append_tokens(*cache, layer0, KvHeadId(1), 0, roles).ok());
  CHECK(cache->allocated_bytes() > 0);
  cache->reset(7, false);
  CHECK(cache->window() == 7);
  CHECK(cache->allocated_bytes() == 0);
  CHECK(cache->total_entries() == 0);
  CHECK(append_tokens(*cache, layer0, KvHeadId(1), 9, roles).code == StatusCode::invalid_argument);
  CHECK(append_tokens(*cache, layer0, KvHeadId(1), 0, roles).ok());
}

TEST_CASE("tokens come in order and fit the shape") {
  const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 3);
  const std::vector<Role> roles(2, Role::global);
  CHECK(append_tokens(*cache, layer0, head0, 1, roles).code == StatusCode::invalid_argument);
  CHECK(append_tokens(*cache, LayerId(1), head0, 0, roles).code == StatusCode::invalid_argument);
  CHECK(append_tokens(*cache, layer0, KvHeadId(-1), 0, roles).code == StatusCode::invalid_argument);
  CHECK(append_tokens(*cache, layer0, head0, 0, std::vector<Role>{static_cast<Role>(9)}).code ==
        StatusCode::invalid_argument);
  std::vector<float> numbers(16);
  const auto wrong = ConstView<float, 2>::packed(numbers.data(), {2, 7});
  const auto right = ConstView<float, 2>::packed(numbers.data(), {2, 8});
  CHECK(cache->append(layer0, head0, TokenPos(0), roles, wrong, right).code == StatusCode::shape_mismatch);
  CHECK(cache->append(layer0, head0, TokenPos(0), roles, right, wrong).code == StatusCode::shape_mismatch);
  CHECK(cache->total_entries() == 0);
}

TEST_CASE("a shape without size or with too wide a head is refused") {
  std::unique_ptr<KvCache> cache;
  CHECK(KvCache::create({0, 1, 8, ElementType::f32, 4}, cache).code == StatusCode::invalid_argument);
  CHECK(KvCache::create({1, 1, 8, ElementType::f32, 0}, cache).code == StatusCode::invalid_argument);
  CHECK(KvCache::create({1, 1, 8, ElementType::f16, 4}, cache).code == StatusCode::unsupported_dtype);
  CHECK(KvCache::create({1, 1, 258, ElementType::f32, 4}, cache).code == StatusCode::unsupported_shape);
  CHECK(cache == nullptr);
}

TEST_CASE("heavy hitters stay as a naive simulation says") {
  RandomArrays random(32);
  INFO(random.how_to_repeat());
  for (const std::int64_t heavy : {0, 1, 3, 8}) {
    for (const std::int64_t recent : {0, 1, 4, 9}) {
      const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 0, true);
      std::map<std::int32_t, float> held;
      for (std::int32_t t = 0; t < 50; ++t) {
        REQUIRE(append_tokens(*cache, layer0, head0, t, std::vector<Role>{Role::global}).ok());
        // Few different scores, so that ties are common.
        held[t] = static_cast<float>(random.between(0, 2));
        REQUIRE(cache->set_score(layer0, head0, TokenPos(t), held[t]).ok());

        std::vector<std::pair<float, std::int32_t>> older;
        for (const auto& [position, score] : held) {
          if (position < t - recent + 1) older.emplace_back(-score, position);
        }
        std::sort(older.begin(), older.end());
        std::set<std::int32_t> gone;
        for (std::size_t index = static_cast<std::size_t>(heavy); index < older.size(); ++index)
          gone.insert(older[index].second);
        for (const std::int32_t position : gone) held.erase(position);

        std::vector<TokenPos> dropped;
        REQUIRE(cache->keep_by_scores(layer0, head0, TokenPos(t), heavy, recent, &dropped).ok());
        std::set<std::int32_t> reported;
        for (const TokenPos position : dropped) reported.insert(position.value);
        CHECK(reported == gone);
        std::map<std::int32_t, Role> expected;
        for (const auto& [position, score] : held) expected[position] = Role::global;
        check_head(*cache, layer0, head0, expected);
        CHECK(cache->entries(layer0, head0) <= heavy + recent);
      }
    }
  }
}

TEST_CASE("dropping heavy hitters among locals and sliding tokens keeps both lists right") {
  RandomArrays random(33);
  INFO(random.how_to_repeat());
  const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 6, true);
  std::vector<Role> roles;
  std::set<std::int32_t> gone;
  for (std::int32_t t = 0; t < 120; ++t) {
    roles.push_back(random.roles(1, {1, 5, 5})[0]);
    REQUIRE(append_tokens(*cache, layer0, head0, t, std::span(roles).last(1)).ok());
    std::vector<TokenPos> dropped;
    REQUIRE(cache->keep_by_scores(layer0, head0, TokenPos(t), 5, 3, &dropped).ok());
    for (const TokenPos position : dropped) gone.insert(position.value);
    auto expected = expected_entries(roles, 6);
    for (const std::int32_t position : gone) expected.erase(position);
    check_head(*cache, layer0, head0, expected);
  }
}

TEST_CASE("scores are shared among heads that hold the same positions, and cleared") {
  const auto cache = make_cache({2, 3, 8, ElementType::f32, 4}, 0, true);
  const LayerId layer1(1);
  const auto scores_of = [&](LayerId layer, std::int32_t head) {
    std::vector<float> scores;
    for (std::int64_t index = 0; index < cache->page_count(layer, KvHeadId(head)); ++index) {
      const KvPage page = cache->page(layer, KvHeadId(head), index);
      scores.insert(scores.end(), page.scores, page.scores + page.count);
    }
    return scores;
  };
  for (std::int32_t t = 0; t < 6; ++t) {
    for (const LayerId layer : {layer0, layer1}) {
      for (std::int32_t head = 0; head < 3; ++head) {
        REQUIRE(append_tokens(*cache, layer, KvHeadId(head), t, std::vector<Role>{Role::global}).ok());
        REQUIRE(cache->set_score(layer, KvHeadId(head), TokenPos(t), static_cast<float>(t + 10 * head)).ok());
      }
    }
  }
  REQUIRE(cache->share_scores(layer1).ok());
  for (std::int32_t head = 0; head < 3; ++head) {
    CHECK(scores_of(layer1, head) == std::vector<float>{30, 33, 36, 39, 42, 45});
    CHECK(scores_of(layer0, head)[5] == static_cast<float>(5 + 10 * head));
  }
  REQUIRE(cache->clear_scores(layer1).ok());
  CHECK(scores_of(layer1, 2) == std::vector<float>(6, 0.0F));
  CHECK(scores_of(layer0, 2)[0] == 20.0F);

  // What one head drops alone the others cannot add up any more.
  REQUIRE(cache->keep_by_scores(layer0, KvHeadId(1), TokenPos(5), 5, 0, nullptr).ok());
  CHECK(cache->share_scores(layer0).code == StatusCode::invalid_argument);
  CHECK(cache->share_scores(LayerId(2)).code == StatusCode::invalid_argument);
}

TEST_CASE("entries that are named go, and the others stay as they were") {
  RandomArrays random(34);
  INFO(random.how_to_repeat());
  for (const bool with_scores : {true, false}) {
    const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 6, with_scores);
    std::vector<Role> roles;
    std::set<std::int32_t> gone;
    for (std::int32_t t = 0; t < 120; ++t) {
      roles.push_back(random.roles(1, {3, 5, 5})[0]);
      REQUIRE(append_tokens(*cache, layer0, head0, t, std::span(roles).last(1)).ok());
      auto expected = expected_entries(roles, 6);
      for (const std::int32_t position : gone) expected.erase(position);
      std::vector<TokenPos> named;
      for (const auto& [position, role] : expected) {
        if (random.between(0, 19) == 0) named.emplace_back(position);
      }
      if (t % 2 == 0) std::ranges::reverse(named);  // in any order
      REQUIRE(cache->drop(layer0, head0, named).ok());
      for (const TokenPos position : named) {
        gone.insert(position.value);
        expected.erase(position.value);
      }
      check_head(*cache, layer0, head0, expected);
    }
  }
}

TEST_CASE("nothing goes where one that is named is not held, or is named twice") {
  const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 0, true);
  for (std::int32_t t = 0; t < 9; ++t)
    REQUIRE(append_tokens(*cache, layer0, head0, t, std::vector<Role>{Role::global}).ok());
  const auto refused = [&](const std::vector<TokenPos>& positions) {
    CHECK(cache->drop(layer0, head0, positions).code == StatusCode::invalid_argument);
    CHECK(cache->entries(layer0, head0) == 9);
  };
  refused({TokenPos(3), TokenPos(9)});
  refused({TokenPos(3), TokenPos(-1)});
  refused({TokenPos(3), TokenPos(5), TokenPos(3)});
  CHECK(cache->drop(LayerId(1), head0, {}).code == StatusCode::invalid_argument);
  REQUIRE(cache->drop(layer0, head0, {}).ok());
  REQUIRE(cache->drop(layer0, head0, std::vector{TokenPos(8), TokenPos(0)}).ok());
  CHECK(cache->drop(layer0, head0, std::vector{TokenPos(0)}).code == StatusCode::invalid_argument);
  CHECK(cache->entries(layer0, head0) == 7);
}

TEST_CASE("scores grow where a decode is asked for the token's own, and only there") {
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 0, true);
    for (std::int32_t t = 0; t < 6; ++t)
      REQUIRE(append_tokens(*cache, layer0, head0, t, std::vector<Role>{Role::global}).ok());
    const std::vector<float> row{1, 0, 2, 0, -1, 0, 1, 1};
    const auto rows = ConstView<float, 2>::packed(row.data(), {1, 8});
    std::vector<float> out(8);
    std::vector<float> lse(1);
    std::vector<float> own(1);
    const auto sum = [&] {
      float all = 0;
      for (std::int64_t index = 0; index < cache->page_count(layer0, head0); ++index) {
        const KvPage page = cache->page(layer0, head0, index);
        for (std::int32_t entry = 0; entry < page.count; ++entry) all += page.scores[entry];
      }
      return all;
    };
    const auto out_view = View<float, 2>::packed(out.data(), {1, 8});
    REQUIRE(attention_decode(backend, rows, rows, rows, *cache, layer0, out_view, lse, {}).ok());
    CHECK(sum() == 0);
    REQUIRE(attention_decode(backend, rows, rows, rows, *cache, layer0, out_view, lse, own).ok());
    CHECK(sum() + own[0] == doctest::Approx(1));
    CHECK(sum() > 0);
  }
}

TEST_CASE("scores are asked of a cache that keeps them only") {
  const auto cache = make_cache({1, 1, 8, ElementType::f32, 4}, 3);
  CHECK(cache->keep_by_scores(layer0, head0, TokenPos(0), 1, 1, nullptr).code == StatusCode::invalid_argument);
  CHECK(cache->set_score(layer0, head0, TokenPos(0), 1).code == StatusCode::invalid_argument);
  CHECK(cache->share_scores(layer0).code == StatusCode::invalid_argument);
  CHECK(cache->clear_scores(layer0).code == StatusCode::invalid_argument);
  cache->reset(3, true);
  CHECK(cache->set_score(layer0, head0, TokenPos(0), 1).code == StatusCode::invalid_argument);
  CHECK(cache->keep_by_scores(layer0, head0, TokenPos(0), -1, 1, nullptr).code == StatusCode::invalid_argument);
}
