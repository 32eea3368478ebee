// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_decode.h"

#include <doctest/doctest.h>

#include <cstring>
#include <utility>
#include <vector>

#include "kernels/shared_work.h"
#include "tests/kernels/decode_step.h"
#include "tests/kernels/error_bound.h"

/// What a decode through kernels::KvCache promises besides its result: equal bits on any number of threads, scores of
/// H2O.
using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

TEST_CASE("a long cache gives equal bits on any number of threads, and on every run") {
  RandomArrays random(43);
  INFO(random.how_to_repeat());
  const int threads_before = max_threads();
  AttentionCase c{6, 3, 64, 3001, 40, ElementType::f32, {}, {}, {}, {}};
  c.fill(random, {8, 1, 1});
  const auto cache = cache_for(c);
  append_tokens(c, *cache, 0, c.tokens - 1);
  const DecodeStep step = step_at(c, c.tokens - 1);
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 4, 2}) {
    set_threads(threads);
    GuardedArray out(c.heads * c.head_dim);
    GuardedArray lse(c.heads);
    REQUIRE(decode(Backend::cpu, c, step, *cache, out, lse).ok());
    CHECK(out.all_written());
    if (first.empty()) first.assign(out.span().begin(), out.span().end());
    CHECK(std::memcmp(first.data(), out.data(), out.span().size_bytes()) == 0);
  }
  set_threads(threads_before);
  GuardedArray out(c.heads * c.head_dim);
  GuardedArray lse(c.heads);
  REQUIRE(decode(Backend::ref, c, step, *cache, out, lse).ok());
  CHECK(largest_error(std::span<const float>(first), std::as_const(out).span()) < 1e-6);
}

TEST_CASE("kept scores are the sums of attention weights over queries and the heads of a group") {
  RandomArrays random(45);
  INFO(random.how_to_repeat());
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    AttentionCase c{4, 2, 24, 45, 0, ElementType::f32, {}, {}, {}, {}};
    c.fill(random, {1, 0, 0});
    const auto cache = cache_for(c, 8, true);
    std::vector<std::vector<double>> sums(2, std::vector<double>(45, 0.0));
    for (std::int64_t t = 0; t < c.tokens; ++t) {
      GuardedArray out(c.heads * c.head_dim);
      GuardedArray lse(c.heads);
      GuardedArray self(c.kv_heads);
      const DecodeStep step = step_at(c, t);
      REQUIRE(decode(backend, c, step, *cache, out, lse, self.span()).ok());
      append_tokens(c, *cache, t, 1);
      for (std::int64_t head = 0; head < c.heads; ++head) {
        const std::int64_t kv_head = head / 2;
        for (std::int64_t n = 0; n <= t; ++n) {
          double dot = 0;
          for (std::int64_t d = 0; d < c.head_dim; ++d) {
            dot += static_cast<double>(step.queries[static_cast<std::size_t>(head * c.head_dim + d)]) *
                   c.keys[static_cast<std::size_t>((kv_head * c.tokens + n) * c.head_dim + d)];
          }
          sums[static_cast<std::size_t>(kv_head)][static_cast<std::size_t>(n)] +=
              std::exp(dot / std::sqrt(24.0) - static_cast<double>(lse[head]));
        }
      }
      for (std::int32_t kv_head = 0; kv_head < 2; ++kv_head) {
        REQUIRE(cache->set_score(LayerId(0), KvHeadId(kv_head), TokenPos(static_cast<std::int32_t>(t)), self[kv_head])
                    .ok());
      }
    }
    for (std::int32_t kv_head = 0; kv_head < 2; ++kv_head) {
      for (std::int64_t index = 0; index < cache->page_count(LayerId(0), KvHeadId(kv_head)); ++index) {
        const KvPage page = cache->page(LayerId(0), KvHeadId(kv_head), index);
        for (std::int32_t slot = 0; slot < page.count; ++slot) {
          const double expected =
              sums[static_cast<std::size_t>(kv_head)][static_cast<std::size_t>(page.positions[slot])];
          CHECK(page.scores[slot] == doctest::Approx(expected).epsilon(1e-5));
        }
      }
    }
  }
}
