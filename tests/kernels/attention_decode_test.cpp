// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_decode.h"

#include <doctest/doctest.h>
#include <omp.h>

#include <cstring>
#include <utility>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/error_bound.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::tests;

namespace {

struct DecodeStep {
  std::vector<float> queries;  // [heads, head_dim]
  std::vector<float> key;      // [kv_heads, head_dim]
  std::vector<float> value;
};

DecodeStep step_at(const AttentionCase& c, std::int64_t t) {
  DecodeStep step;
  const auto gather = [&](const std::vector<float>& from, std::int64_t heads, std::vector<float>& to) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const auto begin = from.begin() + (head * c.tokens + t) * c.head_dim;
      to.insert(to.end(), begin, begin + c.head_dim);
    }
  };
  gather(c.queries, c.heads, step.queries);
  gather(c.keys, c.kv_heads, step.key);
  gather(c.values, c.kv_heads, step.value);
  return step;
}

Status decode(Backend backend, const AttentionCase& c, const DecodeStep& step, const KvCache& cache, GuardedArray& out,
              GuardedArray& lse, std::span<float> self_scores = {}) {
  return attention_decode(backend, ConstView<float, 2>::packed(step.queries.data(), {c.heads, c.head_dim}),
                          ConstView<float, 2>::packed(step.key.data(), {c.kv_heads, c.head_dim}),
                          ConstView<float, 2>::packed(step.value.data(), {c.kv_heads, c.head_dim}), cache, LayerId(0),
                          View<float, 2>::packed(out.data(), {c.heads, c.head_dim}), lse.span(), self_scores);
}

/// The whole sequence token by token through the cache; out [heads, T, head_dim], lse [heads, T] as the dense rule has
/// them.
AttentionResult<float> decode_all(Backend backend, const AttentionCase& c, std::int32_t page_entries) {
  AttentionResult<float> result;
  result.out.assign(c.queries.size(), std::numeric_limits<float>::quiet_NaN());
  result.lse.assign(static_cast<std::size_t>(c.heads * c.tokens), std::numeric_limits<float>::quiet_NaN());
  const auto cache = cache_for(c, page_entries);
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    GuardedArray out(c.heads * c.head_dim);
    GuardedArray lse(c.heads);
    REQUIRE(decode(backend, c, step_at(c, t), *cache, out, lse).ok());
    CHECK(out.guards_hold());
    CHECK(lse.guards_hold());
    for (std::int64_t head = 0; head < c.heads; ++head) {
      std::copy_n(out.data() + head * c.head_dim, c.head_dim, result.out.begin() + (head * c.tokens + t) * c.head_dim);
      result.lse[static_cast<std::size_t>(head * c.tokens + t)] = lse[head];
    }
    append_tokens(c, *cache, t, 1);
  }
  return result;
}

void check_against_dense(const AttentionCase& c, const AttentionResult<float>& result) {
  const AttentionResult<double> truth = dense_attention<double>(c);
  const AttentionResult<float> plain = dense_attention<float>(c);
  // An error of lse is a relative error of every weight: its floor is that of the number 1.
  const auto check = [](const std::vector<float>& got, const std::vector<float>& by_floats,
                        const std::vector<double>& expected, double smallest_magnitude) {
    const std::span<const double> right(expected);
    const double plain_error = largest_error(std::span<const float>(by_floats), right);
    CHECK(largest_error(std::span<const float>(got), right) <=
          allowed_error(plain_error, std::max(smallest_magnitude, largest_magnitude(right))));
  };
  check(result.out, plain.out, truth.out, 0);
  check(result.lse, plain.lse, truth.lse, 1);
}

AttentionCase make_case(RandomArrays& random, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                        std::int64_t tokens, std::int64_t window, ElementType dtype) {
  AttentionCase c{heads, kv_heads, head_dim, tokens, window, dtype, {}, {}, {}, {}};
  c.fill(random, {1, 2, 3});
  return c;
}

}  // namespace

TEST_CASE("token by token through the cache equals the dense rule") {
  RandomArrays random(41);
  INFO(random.how_to_repeat());
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::int64_t tokens : {0, 1, 31, 33, 67}) {
        for (const std::int64_t window : {0, 1, 16}) {
          CAPTURE(tokens);
          CAPTURE(window);
          const AttentionCase c = make_case(random, 4, 2, 16, tokens, window, dtype);
          check_against_dense(c, decode_all(backend, c, 32));
        }
      }
    }
  }
}

TEST_CASE("every head layout, head size and page size gives the dense result") {
  RandomArrays random(42);
  INFO(random.how_to_repeat());
  struct Heads {
    std::int64_t query;
    std::int64_t kv;
  };
  for (const Heads heads : {Heads{1, 1}, Heads{3, 3}, Heads{8, 2}, Heads{7, 1}, Heads{12, 4}}) {
    for (const std::int64_t head_dim : {8, 10, 16, 24, 32, 34, 64, 80, 96, 128, 200, 256}) {
      for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
        CAPTURE(heads.query);
        CAPTURE(heads.kv);
        CAPTURE(head_dim);
        const AttentionCase c = make_case(random, heads.query, heads.kv, head_dim, 41, 5, dtype);
        check_against_dense(c, decode_all(Backend::cpu, c, static_cast<std::int32_t>(random.between(1, 40))));
      }
    }
  }
}

TEST_CASE("a long cache gives equal bits on any number of threads, and on every run") {
  RandomArrays random(43);
  INFO(random.how_to_repeat());
  const int threads_before = omp_get_max_threads();
  AttentionCase c{6, 3, 64, 3001, 40, ElementType::f32, {}, {}, {}, {}};
  c.fill(random, {8, 1, 1});
  const auto cache = cache_for(c);
  append_tokens(c, *cache, 0, c.tokens - 1);
  const DecodeStep step = step_at(c, c.tokens - 1);
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 4, 2}) {
    omp_set_num_threads(threads);
    GuardedArray out(c.heads * c.head_dim);
    GuardedArray lse(c.heads);
    REQUIRE(decode(Backend::cpu, c, step, *cache, out, lse).ok());
    CHECK(out.all_written());
    if (first.empty()) first.assign(out.span().begin(), out.span().end());
    CHECK(std::memcmp(first.data(), out.data(), out.span().size_bytes()) == 0);
  }
  omp_set_num_threads(threads_before);
  GuardedArray out(c.heads * c.head_dim);
  GuardedArray lse(c.heads);
  REQUIRE(decode(Backend::ref, c, step, *cache, out, lse).ok());
  CHECK(largest_error(std::span<const float>(first), std::as_const(out).span()) < 1e-6);
}

TEST_CASE("large and equal scores neither overflow nor lose the sum") {
  RandomArrays random(44);
  INFO(random.how_to_repeat());
  AttentionCase c{2, 1, 32, 50, 8, ElementType::f32, {}, {}, {}, {}};
  c.fill(random, {1, 1, 1}, 12.0F);
  check_against_dense(c, decode_all(Backend::cpu, c, 32));
  std::fill(c.keys.begin(), c.keys.end(), 0.0F);
  check_against_dense(c, decode_all(Backend::cpu, c, 32));
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
