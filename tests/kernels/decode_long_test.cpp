// SPDX-License-Identifier: GPL-3.0-or-later
// A decode step over a cache so long that every worker of a GPU goes through many tiles, over heads of which some are
// full and most nearly empty.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/cuda/attention_decode.h"
#include "kernels/cuda/kv_cache.h"
#include "tests/kernels/device_call.h"
#include "tests/kernels/random_arrays.h"
#include "tests/support/case_turns.h"

namespace natscope::test {

namespace {

using namespace kernels;

struct LongCase {
  std::int64_t heads, kv_heads, head_dim, tokens;
  ElementType dtype;
  std::vector<float> queries, keys,
      values;               // [heads, head_dim]; [kv_heads, tokens, head_dim], the last the new token's
  std::vector<Role> roles;  // [kv_heads, tokens]

  [[nodiscard]] float stored(float number) const {
    return dtype == ElementType::bf16 ? to_float(to_bf16(number)) : number;
  }
  /// Out of one query head, and its log-sum-exp, in double.
  [[nodiscard]] std::vector<double> attend(std::int64_t head, double& lse) const {
    const std::int64_t kv_head = head / (heads / kv_heads);
    std::vector<double> scores;
    std::vector<std::int64_t> seen;
    for (std::int64_t n = 0; n < tokens; ++n) {
      if (n + 1 < tokens && roles[static_cast<std::size_t>(kv_head * tokens + n)] != Role::global) continue;
      double score = 0;
      for (std::int64_t d = 0; d < head_dim; ++d) {
        const float query = queries[static_cast<std::size_t>(head * head_dim + d)];
        const float key = keys[static_cast<std::size_t>((kv_head * tokens + n) * head_dim + d)];
        // The new token's own key is not from the cache.
        score += n + 1 < tokens ? static_cast<double>(stored(query)) * static_cast<double>(stored(key))
                                : static_cast<double>(query) * static_cast<double>(key);
      }
      scores.push_back(score / std::sqrt(static_cast<double>(head_dim)));
      seen.push_back(n);
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - largest);
    lse = largest + std::log(total);
    std::vector<double> out(static_cast<std::size_t>(head_dim), 0.0);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      for (std::int64_t d = 0; d < head_dim; ++d) {
        const float value = values[static_cast<std::size_t>((kv_head * tokens + seen[i]) * head_dim + d)];
        out[static_cast<std::size_t>(d)] +=
            scores[i] / total * static_cast<double>(seen[i] + 1 < tokens ? stored(value) : value);
      }
    }
    return out;
  }
};

LongCase make_case(RandomArrays& random, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t tokens,
                   ElementType dtype) {
  constexpr std::int64_t group = 4;
  LongCase c{kv_heads * group,
             kv_heads,
             head_dim,
             tokens,
             dtype,
             random.normal(kv_heads * group * head_dim, 3.0F),
             random.normal(kv_heads * tokens * head_dim),
             random.normal(kv_heads * tokens * head_dim),
             {}};
  // The first head keeps everything, every other one a token in fifty; sliding ones leave at once (window 1).
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    const std::vector<Role> of =
        random.roles(tokens, head == 0 ? std::vector<double>{1, 0, 0} : std::vector<double>{1, 0, 49});
    c.roles.insert(c.roles.end(), of.begin(), of.end());
  }
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    // Seen by the last query only as a global one would be, so that the truth above is the whole rule.
    c.roles[static_cast<std::size_t>((head + 1) * tokens - 2)] = Role::global;
  }
  return c;
}

void fill(const LongCase& c, cuda::DeviceKvCache& cache) {
  constexpr std::int64_t chunk = 512;
  for (std::int64_t first = 0; first + 1 < c.tokens; first += chunk) {
    const std::int64_t rows = std::min(chunk, c.tokens - 1 - first);
    const auto rows_of = [&](const std::vector<float>& numbers) {
      return ConstView<float, 3>{
          numbers.data() + first * c.head_dim, {c.kv_heads, rows, c.head_dim}, {c.tokens * c.head_dim, c.head_dim, 1}};
    };
    DeviceCall call;
    REQUIRE(cache.reserve(rows, 1, nullptr).ok());
    const ConstView<Role, 2> roles{c.roles.data() + first, {c.kv_heads, rows}, {c.tokens, 1}};
    REQUIRE(
        cache.append(LayerId(0), call.in(roles), call.in(rows_of(c.keys)), call.in(rows_of(c.values)), nullptr).ok());
    REQUIRE(cache.finish_step(nullptr).ok());
    REQUIRE(call.finish().ok());
    REQUIRE(cache.failure().ok());
  }
}

}  // namespace

TEST_CASE("a long and uneven cache, many tiles a worker") {
  RandomArrays random(81);
  INFO(random.how_to_repeat());
  const bool small = CaseTurns().one_in() > 1;
  for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
    for (const std::int64_t head_dim : {64, 128}) {
      CAPTURE(head_dim);
      const LongCase c = make_case(random, small ? 2 : 8, head_dim, small ? 3001 : 100'001, dtype);
      std::unique_ptr<cuda::DeviceKvCache> cache;
      REQUIRE(cuda::DeviceKvCache::create(
                  {1, static_cast<std::int32_t>(c.kv_heads), static_cast<std::int32_t>(head_dim), dtype, 32}, c.tokens,
                  nullptr, cache)
                  .ok());
      REQUIRE(cache->reset(1, nullptr, nullptr).ok());
      fill(c, *cache);

      const auto new_token = [&](const std::vector<float>& numbers) {
        return ConstView<float, 2>{
            numbers.data() + (c.tokens - 1) * head_dim, {c.kv_heads, head_dim}, {c.tokens * head_dim, 1}};
      };
      const float nan = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> out(static_cast<std::size_t>(c.heads * head_dim), nan);
      std::vector<float> lse(static_cast<std::size_t>(c.heads), nan);
      const Status status = run_twice_on_device([&](DeviceCall& call) {
        const std::int64_t bytes = cuda::attention_decode_scratch_bytes(c.heads, *cache);
        return cuda::attention_decode(call.in(ConstView<float, 2>::packed(c.queries.data(), {c.heads, head_dim})),
                                      call.in(new_token(c.keys)), call.in(new_token(c.values)), *cache, LayerId(0),
                                      call.out(View<float, 2>::packed(out.data(), {c.heads, head_dim})),
                                      call.out(std::span<float>(lse)), {}, call.scratch(bytes), bytes, nullptr);
      });
      INFO(status.detail);
      REQUIRE(status.ok());
      const double tolerance = dtype == ElementType::bf16 ? 2e-2 : 2e-5;
      for (std::int64_t head = 0; head < c.heads; ++head) {
        CAPTURE(head);
        double expected_lse = 0;
        const std::vector<double> expected = c.attend(head, expected_lse);
        CHECK(std::abs(static_cast<double>(lse[static_cast<std::size_t>(head)]) - expected_lse) <= tolerance);
        double apart = 0;
        for (std::int64_t d = 0; d < head_dim; ++d) {
          const double difference = std::abs(static_cast<double>(out[static_cast<std::size_t>(head * head_dim + d)]) -
                                             expected[static_cast<std::size_t>(d)]);
          if (!(difference <= apart)) apart = difference;  // NaN counts
        }
        CHECK(apart <= tolerance);
      }
    }
  }
}

}  // namespace natscope::test
