// SPDX-License-Identifier: GPL-3.0-or-later
// The device's cache against the CPU's: the same entries, roles and contents after the same tokens, on as many pages.
#include <doctest/doctest.h>

#include <bit>
#include <map>
#include <memory>
#include <vector>

#include "kernels/kv_cache.h"
#include "tests/kernels/random_arrays.h"
#include "tests/kernels/tested_cache.h"
#include "tests/support/case_turns.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

struct Entry {
  Role role;
  std::vector<float> key;
  std::vector<float> value;
  float score = 0;  ///< where scores are kept
  bool operator==(const Entry&) const = default;
};
using Entries = std::map<std::int32_t, Entry>;

float stored(const void* data, ElementType dtype, std::int64_t index) {
  return dtype == ElementType::f32 ? static_cast<const float*>(data)[index]
                                   : to_float(static_cast<const Bf16*>(data)[index]);
}

Entries entries_of(const KvCache& cache, LayerId layer, KvHeadId head) {
  const KvCacheShape& shape = cache.shape();
  Entries entries;
  for (std::int64_t index = 0; index < cache.page_count(layer, head); ++index) {
    const KvPage page = cache.page(layer, head, index);
    for (std::int32_t slot = 0; slot < page.count; ++slot) {
      Entry& entry = entries[page.positions[slot]];
      entry.role = page.roles[slot];
      if (page.scores != nullptr) entry.score = page.scores[slot];
      for (std::int64_t d = 0; d < shape.head_dim; ++d) {
        entry.key.push_back(stored(page.keys, shape.dtype, slot * shape.head_dim + d));
        entry.value.push_back(stored(page.values, shape.dtype, slot * shape.head_dim + d));
      }
    }
  }
  return entries;
}

/// Also that globals come first, then locals, each in the order of their positions where no scores are kept: a
/// prefill's masks count on it.
Entries entries_of(TestedCache& cache, const KvCacheShape& shape, LayerId layer, KvHeadId head) {
  const cuda::HeadEntries read = cache.read(layer, head);
  Entries entries;
  for (std::size_t slot = 0; slot < read.positions.size(); ++slot) {
    if (slot > 0) {
      CHECK(read.roles[slot - 1] <= read.roles[slot]);
      if (read.scores.empty() && read.roles[slot - 1] == read.roles[slot] && read.roles[slot] != Role::sliding)
        CHECK(read.positions[slot - 1] < read.positions[slot]);
    }
    const auto row = [&](const std::vector<float>& from) {
      const auto begin = from.begin() + static_cast<std::ptrdiff_t>(slot) * shape.head_dim;
      return std::vector<float>(begin, begin + shape.head_dim);
    };
    const float score = read.scores.empty() ? 0.0F : read.scores[slot];
    CHECK(
        entries.emplace(read.positions[slot], Entry{read.roles[slot], row(read.keys), row(read.values), score}).second);
  }
  return entries;
}

/// The same tokens into both caches.
struct BothCaches {
  BothCaches(const CacheBackend& backend, const KvCacheShape& of, std::int64_t max_tokens, std::int64_t window,
             const ScoreRule* rule = nullptr)
      : shape(of), device(backend.create(of, max_tokens, window, rule)) {
    REQUIRE(KvCache::create(of, cpu).ok());
    cpu->reset(window, rule != nullptr);
  }

  void append(RandomArrays& random, LayerId layer, std::int32_t count, const std::vector<double>& shares) {
    const AppendedStep step = some_tokens(random, layer, count, shares);
    REQUIRE(device->append(step).ok());
    append_on_cpu(step);
  }
  /// One token to every layer at once.
  void append_token(RandomArrays& random, const std::vector<double>& shares) {
    std::vector<AppendedStep> steps;
    for (std::int32_t layer = 0; layer < shape.layers; ++layer)
      steps.push_back(some_tokens(random, LayerId(layer), 1, shares));
    REQUIRE(device->append_token(steps).ok());
    for (const AppendedStep& step : steps) append_on_cpu(step);
  }

  [[nodiscard]] AppendedStep some_tokens(RandomArrays& random, LayerId layer, std::int32_t count,
                                         const std::vector<double>& shares) const {
    const std::int64_t rows = static_cast<std::int64_t>(shape.kv_heads) * count;
    return {layer, count, random.roles(rows, shares), random.normal(rows * shape.head_dim),
            random.normal(rows * shape.head_dim)};
  }
  void append_on_cpu(const AppendedStep& step) {
    for (std::int32_t head = 0; head < shape.kv_heads; ++head) {
      const auto count = static_cast<std::size_t>(step.count);
      const auto first = static_cast<std::size_t>(head) * count;
      const auto view = [&](const std::vector<float>& from) {
        return ConstView<float, 2>::packed(from.data() + first * static_cast<std::size_t>(shape.head_dim),
                                           {step.count, shape.head_dim});
      };
      REQUIRE(cpu->append(step.layer, KvHeadId(head), TokenPos(position), std::span(step.roles).subspan(first, count),
                          view(step.keys), view(step.values))
                  .ok());
    }
  }

  /// H2O after a token of the first `layers` layers from `first` on, with few different scores, so that ties are
  /// common. Now and then what goes is said beforehand.
  void keep_by_scores(RandomArrays& random, std::int32_t first, std::int32_t layers, const ScoreRule& rule) {
    DropStep step{LayerId(first), {}, {}, {}, {}};
    for (std::int32_t index = 0; index < layers * shape.kv_heads; ++index) {
      step.self_scores.push_back(static_cast<float>(random.between(0, 2)));
      const bool known = random.between(0, 4) == 0;
      step.prescribed.push_back(known ? static_cast<std::int32_t>(random.between(0, position)) : no_drop);
    }
    REQUIRE(device->keep_by_scores(step).ok());
    REQUIRE(step.dropped.size() == step.self_scores.size());
    for (std::size_t index = 0; index < step.dropped.size(); ++index) {
      const auto place = static_cast<std::int32_t>(index);
      const LayerId layer(first + place / shape.kv_heads);
      const KvHeadId head(place % shape.kv_heads);
      const Entries held = entries_of(*cpu, layer, head);
      if (held.contains(position))
        REQUIRE(cpu->set_score(layer, head, TokenPos(position), step.self_scores[index]).ok());
      const auto prescribed = held.find(step.prescribed[index]);
      const float before = prescribed == held.end()        ? 0.0F
                           : prescribed->first == position ? step.self_scores[index]
                                                           : prescribed->second.score;
      if (prescribed != held.end()) REQUIRE(cpu->set_score(layer, head, TokenPos(prescribed->first), -1).ok());
      std::vector<TokenPos> dropped;
      REQUIRE(cpu->keep_by_scores(layer, head, TokenPos(position), rule.heavy, rule.recent, &dropped).ok());
      REQUIRE(dropped.size() <= 1);
      CHECK(step.dropped[index] == (dropped.empty() ? no_drop : dropped[0].value));
      CHECK(step.held[index] == cpu->entries(layer, head));
      if (prescribed != held.end() && (dropped.empty() || dropped[0].value != prescribed->first))
        REQUIRE(cpu->set_score(layer, head, TokenPos(prescribed->first), before).ok());
    }
  }

  /// Some entries of each head of some layers, each with the odds of `tenths` in ten, by slots on the device.
  void drop_at_once(RandomArrays& random, std::int32_t first, std::int32_t layers, int tenths) {
    EntryStep step{LayerId(first), position, {}, {}, {}, {}};
    for (std::int32_t place = 0; place < layers * shape.kv_heads; ++place) {
      const LayerId layer(first + place / shape.kv_heads);
      const KvHeadId head(place % shape.kv_heads);
      const auto positions = device->read(layer, head).positions;
      std::vector<bool> goes;
      std::vector<TokenPos> gone;
      for (const std::int32_t held : positions) {
        goes.push_back(random.between(0, 9) < tenths);
        if (goes.back()) gone.emplace_back(held);
      }
      const std::size_t kept = positions.size() - gone.size();
      std::vector<std::int32_t> from;
      std::vector<std::int32_t> to;
      for (std::size_t slot = 0; slot < positions.size(); ++slot) {
        if (slot < kept && goes[slot]) to.push_back(static_cast<std::int32_t>(slot));
        if (slot >= kept && !goes[slot]) from.push_back(static_cast<std::int32_t>(slot));
      }
      REQUIRE(from.size() == to.size());
      step.kept.push_back(static_cast<std::int32_t>(kept));
      step.moves.push_back(static_cast<std::int32_t>(from.size()));
      from.resize(static_cast<std::size_t>(position), -1);  // nobody reads it
      to.resize(static_cast<std::size_t>(position), -1);
      step.from.insert(step.from.end(), from.begin(), from.end());
      step.to.insert(step.to.end(), to.begin(), to.end());
      REQUIRE(cpu->drop(layer, head, gone).ok());
    }
    REQUIRE(device->drop_entries(step).ok());
  }

  void check() {
    std::int64_t pages = 0;
    for (std::int32_t layer = 0; layer < shape.layers; ++layer) {
      for (std::int32_t head = 0; head < shape.kv_heads; ++head) {
        const LayerId of(layer);
        const KvHeadId kv_head(head);
        CHECK(entries_of(*device, shape, of, kv_head) == entries_of(*cpu, of, kv_head));
        CHECK(device->entries_by_role(of, kv_head) == cpu->entries_by_role(of, kv_head));
        pages += cpu->page_count(of, kv_head);
      }
    }
    CHECK(device->pages().in_use == pages);
    CHECK(device->pages().in_slabs >= pages);
  }

  KvCacheShape shape;
  std::unique_ptr<TestedCache> device;
  std::unique_ptr<KvCache> cpu;
  std::int32_t position = 0;
};

}  // namespace

TEST_CASE("after every step the device holds what the CPU holds") {
  RandomArrays random(61);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const std::vector<double>& shares :
         {std::vector<double>{1, 1, 1}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 30, 30}, {1, 6, 30}, {20, 1, 20}}) {
      for (const std::int64_t window : {0, 1, 5, 16, 90, 1000}) {
        for (const std::int32_t page_entries : {1, 7, 32}) {
          if (!turns.next()) continue;
          CAPTURE(window);
          CAPTURE(page_entries);
          const ElementType dtype = window % 2 == 0 ? ElementType::f32 : ElementType::bf16;
          BothCaches caches(backend, {2, 3, window % 2 == 0 ? 8 : 10, dtype, page_entries}, 200, window);
          while (caches.position < 150) {
            const auto count = static_cast<std::int32_t>(random.between(0, 2) > 0 ? 1 : random.between(1, 50));
            REQUIRE(caches.device->reserve(count, 2).ok());
            if (count == 1 && caches.position % 2 == 0) {
              caches.append_token(random, shares);
            } else {
              for (std::int32_t layer = 0; layer < 2; ++layer) caches.append(random, LayerId(layer), count, shares);
            }
            caches.position += count;
            REQUIRE(caches.device->finish_step().ok());
            caches.check();
          }
        }
      }
    }
  }
}

TEST_CASE("chunks longer than what a block looks at in one go") {
  RandomArrays random(62);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    for (const std::vector<double>& shares : {std::vector<double>{1, 1, 1}, {0, 0, 1}, {1, 2000, 2000}}) {
      for (const std::int64_t window : {3, 1024, 2500}) {
        BothCaches caches(backend, {1, 2, 4, ElementType::f32, 32}, 6000, window);
        for (const std::int32_t count : {1024, 1, 1025, 3000, 31}) {
          CAPTURE(window);
          CAPTURE(count);
          REQUIRE(caches.device->reserve(count, 1).ok());
          caches.append(random, LayerId(0), count, shares);
          caches.position += count;
          REQUIRE(caches.device->finish_step().ok());
          caches.check();
        }
      }
    }
  }
}

TEST_CASE("heavy hitters stay on the device as on the CPU, whatever the roles") {
  RandomArrays random(65);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const std::vector<double>& shares :
         {std::vector<double>{1, 0, 0}, {1, 1, 1}, {1, 20, 20}, {0, 0, 1}, {0, 1, 0}}) {
      for (const std::int64_t heavy : {0, 3, 40}) {
        for (const std::int64_t recent : {0, 1, 9}) {
          for (const std::int32_t page_entries : {1, 5}) {
            if (!turns.next()) continue;
            CAPTURE(shares);
            CAPTURE(heavy);
            CAPTURE(recent);
            CAPTURE(page_entries);
            const ScoreRule rule{heavy, recent};
            const ElementType dtype = heavy % 2 == 0 ? ElementType::f32 : ElementType::bf16;
            BothCaches caches(backend, {3, 2, 8, dtype, page_entries}, 90, 5, &rule);
            while (caches.position < 80) {
              // One token of all layers at once, or several of one layer after the other, as steps and prompts have
              // them.
              if (random.between(0, 1) == 0) {
                REQUIRE(caches.device->reserve(1, 3).ok());
                caches.append_token(random, shares);
                caches.keep_by_scores(random, 0, 3, rule);
                ++caches.position;
              } else {
                const auto count = static_cast<std::int32_t>(random.between(1, 10));
                REQUIRE(caches.device->reserve(count, 3).ok());
                const std::int32_t first = caches.position;
                for (std::int32_t layer = 0; layer < 3; ++layer) {
                  for (caches.position = first; caches.position < first + count; ++caches.position) {
                    caches.append(random, LayerId(layer), 1, shares);
                    caches.keep_by_scores(random, layer, 1, rule);
                  }
                }
              }
              REQUIRE(caches.device->finish_step().ok());
              caches.check();
            }
          }
        }
      }
    }
  }
}

TEST_CASE("what goes at once behind a prompt leaves what the CPU leaves, and its pages to what comes") {
  RandomArrays random(68);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const std::int32_t tokens : {1, 31, 32, 33, 200}) {
      for (const std::int32_t page_entries : {1, 5, 32}) {
        for (const int tenths : {0, 1, 5, 9, 10}) {
          if (!turns.next()) continue;
          CAPTURE(tokens);
          CAPTURE(page_entries);
          CAPTURE(tenths);
          const ScoreRule rule{4, 1, EntryScores::of_prompt_end};
          const ElementType dtype = tokens % 2 == 0 ? ElementType::f32 : ElementType::bf16;
          KvCacheShape shape{2, 3, dtype == ElementType::f32 ? 8 : 10, dtype, page_entries};
          if (tenths == 10) {  // not room for both texts, but for one after the other
            const auto arena = cuda::sized_arena(shape, 400, 0);
            const auto pages = static_cast<std::uint64_t>(6 * arena.pages_for(tokens));
            shape.limit_bytes = arena.page_bytes * static_cast<std::int64_t>(std::bit_ceil(pages));
          }
          BothCaches caches(backend, shape, 400, 0, &rule);
          REQUIRE(caches.device->reserve(tokens, 2).ok());
          for (std::int32_t layer = 0; layer < 2; ++layer) caches.append(random, LayerId(layer), tokens, {1, 0, 0});
          caches.position += tokens;
          REQUIRE(caches.device->finish_step().ok());
          caches.drop_at_once(random, 1, 1, tenths);  // one layer, then both at once
          caches.drop_at_once(random, 0, 2, tenths);
          REQUIRE(caches.device->finish_step().ok());
          caches.check();
          // What became free is taken again, and the rest goes on.
          REQUIRE(caches.device->reserve(tokens, 2).ok());
          for (std::int32_t layer = 0; layer < 2; ++layer) caches.append(random, LayerId(layer), tokens, {1, 0, 0});
          caches.position += tokens;
          REQUIRE(caches.device->finish_step().ok());
          caches.check();
        }
      }
    }
  }
}

TEST_CASE("tokens dropped one by one leave their pages to those that come after them") {
  RandomArrays random(66);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    // Heads that go to and fro over the end of a page: what one token gives back the next one takes.
    const ScoreRule rule{3, 5};
    BothCaches caches(backend, {1, 2, 8, ElementType::f32, 4, std::int64_t{512} * 10}, 4000, 5, &rule);
    REQUIRE(caches.device->reserve(8, 1).ok());
    for (; caches.position < 500; ++caches.position) {
      caches.append(random, LayerId(0), 1, {1, 3, 1});
      caches.keep_by_scores(random, 0, 1, rule);
    }
    REQUIRE(caches.device->finish_step().ok());
    caches.check();
  }
}

TEST_CASE("tokens after which nothing was dropped are reported before there is no place for their scores") {
  RandomArrays random(67);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    const ScoreRule rule{2, 1};
    BothCaches caches(backend, {1, 2, 8, ElementType::f32, 4}, 40, 5, &rule);
    for (; caches.position < 6; ++caches.position) {
      CAPTURE(caches.position);
      REQUIRE(caches.device->reserve(1, 1).ok());
      caches.append(random, LayerId(0), 1, {1, 0, 0});
      const StatusCode code = caches.device->finish_step().code;
      CHECK(code == (caches.position < 4 ? StatusCode::ok : StatusCode::out_of_memory));
    }
    CHECK(caches.device->entries_by_role(LayerId(0), KvHeadId(0))[0] == 4);
  }
}

TEST_CASE("pages come back: a long sequence of sliding tokens needs no more than its window") {
  RandomArrays random(63);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    const KvCacheShape shape{1, 2, 8, ElementType::f32, 4};
    BothCaches caches(backend, shape, 4000, 16);
    for (int step = 0; step < 600; ++step) {
      REQUIRE(caches.device->reserve(1, 1).ok());
      caches.append(random, LayerId(0), 1, {0, 1, 40});
      ++caches.position;
      if (step % 97 == 96) caches.append(random, LayerId(0), 1, {1, 0, 0}), ++caches.position;
      REQUIRE(caches.device->finish_step().ok());
    }
    caches.check();
    CHECK(caches.device->pages().in_use < 60);
  }
}

TEST_CASE("what was not reserved is reported, and a limit is one") {
  RandomArrays random(64);
  INFO(random.how_to_repeat());
  for (const CacheBackend& backend : cache_backends()) {
    CAPTURE(backend.name);
    // 8 · 4 · 4 · 2 bytes of keys and values and 16 of positions, rounded up to 512.
    const KvCacheShape shape{1, 1, 8, ElementType::f32, 4, std::int64_t{512} * 5};
    BothCaches caches(backend, shape, 400, 3);
    REQUIRE(caches.device->reserve(16, 1).ok());
    caches.append(random, LayerId(0), 16, {1, 0, 0});
    caches.position += 16;
    REQUIRE(caches.device->finish_step().ok());
    caches.check();
    CHECK(caches.device->reserve(16, 1).code == StatusCode::out_of_memory);
    caches.append(random, LayerId(0), 16, {1, 0, 0});
    CHECK(caches.device->finish_step().code == StatusCode::out_of_memory);
    CHECK(caches.device->entries_by_role(LayerId(0), KvHeadId(0))[0] == 16);
  }
}
