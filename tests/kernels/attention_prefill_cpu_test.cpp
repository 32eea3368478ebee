// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_prefill.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stop_token>
#include <type_traits>
#include <vector>

#include "kernels/shared_work.h"
#include "tests/kernels/sequence_backend.h"

/// What a prefill through kernels::KvCache promises besides its result.
using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

TEST_CASE("equal bits on any number of threads, and on every run") {
  RandomArrays random(55);
  INFO(random.how_to_repeat());
  const int threads_before = max_threads();
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const AttentionCase c = random_case(random, 6, 3, 64, 400, 20, dtype, {1, 1, 1});
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 2}) {
      set_threads(threads);
      const AttentionResult<float> result = sequence_backends()[1].prefill(c, 150, 32);
      if (first.empty()) first = result.out;
      CHECK(std::memcmp(first.data(), result.out.data(), first.size() * sizeof(float)) == 0);
    }
  }
  set_threads(threads_before);
}

TEST_CASE("a chunk of no tokens is fine and writes nothing") {
  RandomArrays random(56);
  INFO(random.how_to_repeat());
  const AttentionCase c = random_case(random, 2, 1, 8, 5, 3, ElementType::f32, {1, 1, 1});
  const auto cache = cache_for(c);
  append_tokens(c, *cache, 0, 5);
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    GuardedArray out(0);
    GuardedArray lse(0);
    CHECK(attention_prefill(backend, ConstView<float, 3>::packed(nullptr, {2, 0, 8}),
                            ConstView<float, 3>::packed(nullptr, {1, 0, 8}),
                            ConstView<float, 3>::packed(nullptr, {1, 0, 8}),
                            ConstView<Role, 2>::packed(nullptr, {1, 0}), *cache, LayerId(0), TokenPos(5),
                            View<float, 3>::packed(out.data(), {2, 0, 8}), View<float, 2>::packed(lse.data(), {2, 0}))
              .ok());
    CHECK(out.guards_hold());
  }
}

TEST_CASE("where a stop was asked for no query is begun") {
  RandomArrays random(57);
  INFO(random.how_to_repeat());
  const int threads_before = max_threads();
  const AttentionCase c = random_case(random, 4, 2, 64, 600, 20, ElementType::f32, {1, 1, 1});
  const auto cache = cache_for(c);
  std::stop_source source;
  source.request_stop();
  for (const int threads : {1, 3}) {
    set_threads(threads);
    GuardedArray out(c.heads * c.tokens * c.head_dim);
    GuardedArray lse(c.heads * c.tokens);
    const auto rows = [&](auto* data, std::int64_t heads) {
      return View<std::remove_pointer_t<decltype(data)>, 3>::packed(data, {heads, c.tokens, c.head_dim});
    };
    CHECK(attention_prefill(Backend::cpu, rows(c.queries.data(), c.heads), rows(c.keys.data(), c.kv_heads),
                            rows(c.values.data(), c.kv_heads),
                            ConstView<Role, 2>::packed(c.roles.data(), {c.kv_heads, c.tokens}), *cache, LayerId(0),
                            TokenPos(0), rows(out.data(), c.heads),
                            View<float, 2>::packed(lse.data(), {c.heads, c.tokens}), source.get_token())
              .ok());
    CHECK(std::ranges::all_of(out.span(), [](float number) { return std::isnan(number); }));
  }
  set_threads(threads_before);
}
