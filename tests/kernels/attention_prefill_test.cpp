// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/attention_prefill.h"

#include <doctest/doctest.h>
#include <omp.h>

#include <cstring>
#include <vector>

#include "tests/kernels/attention_case.h"
#include "tests/kernels/error_bound.h"

using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::tests;

namespace {

/// The whole sequence in chunks of the given size through the cache, in the layout of dense_attention.
AttentionResult<float> prefill_all(Backend backend, const AttentionCase& c, std::int64_t chunk,
                                   std::int32_t page_entries = 32) {
  GuardedArray out(c.heads * c.tokens * c.head_dim);
  GuardedArray lse(c.heads * c.tokens);
  const auto cache = cache_for(c, page_entries);
  for (std::int64_t first = 0; first < c.tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, c.tokens - first);
    const auto slice = [&](auto* data, std::int64_t heads) {
      return View<std::remove_pointer_t<decltype(data)>, 3>{
          data + first * c.head_dim, {heads, rows, c.head_dim}, {c.tokens * c.head_dim, c.head_dim, 1}};
    };
    const ConstView<Role, 2> roles{c.roles.data() + first, {c.kv_heads, rows}, {c.tokens, 1}};
    const View<float, 2> lse_rows{lse.data() + first, {c.heads, rows}, {c.tokens, 1}};
    REQUIRE(attention_prefill(backend, slice(c.queries.data(), c.heads), slice(c.keys.data(), c.kv_heads),
                              slice(c.values.data(), c.kv_heads), roles, *cache, LayerId(0),
                              TokenPos(static_cast<std::int32_t>(first)), slice(out.data(), c.heads), lse_rows)
                .ok());
    append_tokens(c, *cache, first, rows);
  }
  CHECK(out.guards_hold());
  CHECK(lse.guards_hold());
  CHECK(out.all_written());
  CHECK(lse.all_written());
  return {{out.span().begin(), out.span().end()}, {lse.span().begin(), lse.span().end()}};
}

/// f32 is held to twice a plain f32 computation (an error of lse is one of every weight, so its floor is that of 1);
/// over a bf16 cache the products may take bf16 operands, as a matrix unit does: queries and weights rounded to 8 bits,
/// each off by at most 2^-9 of itself.
void check_against_dense(const AttentionCase& c, const AttentionResult<float>& result) {
  const AttentionResult<double> truth = dense_attention<double>(c);
  const std::span<const double> out(truth.out);
  const std::span<const double> lse(truth.lse);
  double out_allowed = 0;
  double lse_allowed = 0;
  if (c.dtype == ElementType::f32) {
    const AttentionResult<float> plain = dense_attention<float>(c);
    out_allowed = allowed_error(largest_error(std::span<const float>(plain.out), out), largest_magnitude(out));
    lse_allowed =
        allowed_error(largest_error(std::span<const float>(plain.lse), lse), std::max(1.0, largest_magnitude(lse)));
  } else {
    AttentionCase rounded = c;
    round_to(ElementType::bf16, rounded.queries);
    const AttentionResult<double> plain = dense_attention<double>(rounded);
    const double weight_rounding = largest_magnitude(std::span<const float>(c.values)) / 256;
    out_allowed = 2 * largest_error(std::span<const double>(plain.out), out) + weight_rounding;
    lse_allowed = 2 * largest_error(std::span<const double>(plain.lse), lse) + 1e-3;
  }
  CHECK(largest_error(std::span<const float>(result.out), out) <= out_allowed);
  CHECK(largest_error(std::span<const float>(result.lse), lse) <= lse_allowed);
}

AttentionCase make_case(RandomArrays& random, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                        std::int64_t tokens, std::int64_t window, ElementType dtype,
                        const std::vector<double>& shares) {
  AttentionCase c{heads, kv_heads, head_dim, tokens, window, dtype, {}, {}, {}, {}};
  c.fill(random, shares);
  return c;
}

const std::vector<std::vector<double>> mixes{{1, 1, 1}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 10, 30}, {10, 1, 1}};

}  // namespace

TEST_CASE("in one go and in any chunks, prefill equals the dense rule") {
  RandomArrays random(51);
  INFO(random.how_to_repeat());
  for (const Backend backend : {Backend::ref, Backend::cpu}) {
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::vector<double>& shares : mixes) {
        for (const std::int64_t tokens : {0, 1, 31, 33, 131}) {
          for (const std::int64_t window : {0, 1, 16, 500}) {
            const AttentionCase c = make_case(random, 4, 2, 16, tokens, window, dtype, shares);
            for (const std::int64_t chunk : {1, 7, 32, 61, 500}) {
              CAPTURE(tokens);
              CAPTURE(window);
              CAPTURE(chunk);
              check_against_dense(c, prefill_all(backend, c, chunk));
            }
          }
        }
      }
    }
  }
}

TEST_CASE("every head layout, head size and page size gives the dense result") {
  RandomArrays random(52);
  INFO(random.how_to_repeat());
  struct Heads {
    std::int64_t query;
    std::int64_t kv;
  };
  for (const Heads heads : {Heads{1, 1}, Heads{3, 3}, Heads{8, 2}, Heads{7, 1}}) {
    for (const std::int64_t head_dim : {8, 10, 16, 24, 32, 34, 64, 80, 96, 128, 200, 256}) {
      for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
        CAPTURE(heads.query);
        CAPTURE(heads.kv);
        CAPTURE(head_dim);
        const AttentionCase c = make_case(random, heads.query, heads.kv, head_dim, 97, 9, dtype,
                                          mixes[static_cast<std::size_t>(random.between(0, 5))]);
        check_against_dense(
            c, prefill_all(Backend::cpu, c, random.between(1, 97), static_cast<std::int32_t>(random.between(1, 40))));
      }
    }
  }
}

TEST_CASE("longer sequences: sparse and dense heads side by side, every block border crossed") {
  RandomArrays random(53);
  INFO(random.how_to_repeat());
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    for (const std::vector<double>& shares : mixes) {
      for (const std::int64_t window : {3, 64, 1000}) {
        const AttentionCase c = make_case(random, 2, 1, 32, 701, window, dtype, shares);
        CAPTURE(window);
        check_against_dense(c, prefill_all(Backend::cpu, c, 701));
        check_against_dense(c, prefill_all(Backend::cpu, c, 257));
      }
    }
  }
}

TEST_CASE("large scores neither overflow nor lose the sum") {
  RandomArrays random(54);
  INFO(random.how_to_repeat());
  AttentionCase c{2, 1, 32, 150, 8, ElementType::f32, {}, {}, {}, {}};
  c.fill(random, {1, 1, 1}, 12.0F);
  check_against_dense(c, prefill_all(Backend::cpu, c, 64));
  std::fill(c.keys.begin(), c.keys.end(), 0.0F);
  check_against_dense(c, prefill_all(Backend::cpu, c, 64));
}

TEST_CASE("equal bits on any number of threads, and on every run") {
  RandomArrays random(55);
  INFO(random.how_to_repeat());
  const int threads_before = omp_get_max_threads();
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    const AttentionCase c = make_case(random, 6, 3, 64, 400, 20, dtype, {1, 1, 1});
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 2}) {
      omp_set_num_threads(threads);
      const AttentionResult<float> result = prefill_all(Backend::cpu, c, 150);
      if (first.empty()) first = result.out;
      CHECK(std::memcmp(first.data(), result.out.data(), first.size() * sizeof(float)) == 0);
    }
  }
  omp_set_num_threads(threads_before);
}

TEST_CASE("a chunk of no tokens is fine and writes nothing") {
  RandomArrays random(56);
  INFO(random.how_to_repeat());
  const AttentionCase c = make_case(random, 2, 1, 8, 5, 3, ElementType::f32, {1, 1, 1});
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
