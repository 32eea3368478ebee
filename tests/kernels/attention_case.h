// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/attention_prefill.h"
#include "kernels/kv_cache.h"
#include "tests/kernels/guarded_array.h"
#include "tests/kernels/random_arrays.h"

namespace natscope::test {

/// One layer's worth of attention over a whole sequence: what both ways through the cache must give.
struct AttentionCase {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t head_dim = 8;
  std::int64_t tokens = 0;
  std::int64_t window = 0;
  kernels::ElementType dtype = kernels::ElementType::f32;
  std::vector<float> queries;  // [heads, T, head_dim]
  std::vector<float> keys;     // [kv_heads, T, head_dim], of the cache's dtype
  std::vector<float> values;
  std::vector<Role> roles;  // [kv_heads, T]

  [[nodiscard]] Role role(std::int64_t kv_head, std::int64_t n) const {
    return roles[static_cast<std::size_t>(kv_head * tokens + n)];
  }

  /// The latest global token before position m; −1 where there is none.
  [[nodiscard]] std::int64_t latest_global(std::int64_t kv_head, std::int64_t m) const {
    std::int64_t n = m - 1;
    while (n >= 0 && role(kv_head, n) != Role::global) --n;
    return n;
  }
  /// Section 4 of the rules, from its sentences. `latest` is latest_global(kv_head, m): asked once a query, not once a
  /// pair.
  [[nodiscard]] bool sees(std::int64_t kv_head, std::int64_t m, std::int64_t n, std::int64_t latest) const {
    if (n >= m) return n == m;
    if (role(kv_head, n) == Role::global) return true;
    if (role(kv_head, n) == Role::sliding) return m <= n + window;
    return latest < n;  // a local: no global token stands between it and the query
  }

  void fill(RandomArrays& random, const std::vector<double>& shares, float spread = 1.0F) {
    queries = random.normal(heads * tokens * head_dim, spread);
    keys = random.normal(kv_heads * tokens * head_dim, spread);
    values = random.normal(kv_heads * tokens * head_dim);
    round_to(dtype, keys);
    round_to(dtype, values);
    roles = random.roles(kv_heads * tokens, shares);
  }
};

/// A case of random numbers; roles come in the proportion of `shares`, in the order G, L, S.
inline AttentionCase random_case(RandomArrays& random, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                                 std::int64_t tokens, std::int64_t window, kernels::ElementType dtype,
                                 const std::vector<double>& shares = {1, 2, 3}) {
  AttentionCase c{heads, kv_heads, head_dim, tokens, window, dtype, {}, {}, {}, {}};
  c.fill(random, shares);
  return c;
}

template <class Sum>
struct AttentionResult {
  std::vector<Sum> out;  // [heads, T, head_dim]
  std::vector<Sum> lse;  // [heads, T]
};

/// Dense masked softmax, all in `Sum`: double is the truth, float the plain computation of the same precision.
template <class Sum>
AttentionResult<Sum> dense_attention(const AttentionCase& c) {
  AttentionResult<Sum> result;
  for (std::int64_t head = 0; head < c.heads; ++head) {
    const std::int64_t kv_head = head / (c.heads / c.kv_heads);
    const float* keys = c.keys.data() + kv_head * c.tokens * c.head_dim;
    const float* values = c.values.data() + kv_head * c.tokens * c.head_dim;
    for (std::int64_t m = 0; m < c.tokens; ++m) {
      const float* query = c.queries.data() + (head * c.tokens + m) * c.head_dim;
      const std::int64_t latest = c.latest_global(kv_head, m);
      std::vector<Sum> scores;
      std::vector<std::int64_t> seen;
      for (std::int64_t n = 0; n <= m; ++n) {
        if (!c.sees(kv_head, m, n, latest)) continue;
        Sum dot = 0;
        for (std::int64_t d = 0; d < c.head_dim; ++d)
          dot += static_cast<Sum>(query[d]) * static_cast<Sum>(keys[n * c.head_dim + d]);
        scores.push_back(dot / std::sqrt(static_cast<Sum>(c.head_dim)));
        seen.push_back(n);
      }
      const Sum largest = *std::max_element(scores.begin(), scores.end());
      Sum sum = 0;
      for (const Sum score : scores) sum += std::exp(score - largest);
      result.lse.push_back(largest + std::log(sum));
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        Sum total = 0;
        for (std::size_t index = 0; index < seen.size(); ++index) {
          total += std::exp(scores[index] - largest) * static_cast<Sum>(values[seen[index] * c.head_dim + d]);
        }
        result.out.push_back(total / sum);
      }
    }
  }
  return result;
}

inline std::unique_ptr<kernels::KvCache> cache_for(const AttentionCase& c, std::int32_t page_entries = 32,
                                                   bool keep_scores = false) {
  std::unique_ptr<kernels::KvCache> cache;
  const kernels::KvCacheShape shape{1, static_cast<std::int32_t>(c.kv_heads), static_cast<std::int32_t>(c.head_dim),
                                    c.dtype, page_entries};
  REQUIRE(kernels::KvCache::create(shape, cache).ok());
  cache->reset(c.window, keep_scores);
  return cache;
}

/// Tokens first … first + count - 1 of every KV head into the cache.
inline void append_tokens(const AttentionCase& c, kernels::KvCache& cache, std::int64_t first, std::int64_t count) {
  for (std::int64_t head = 0; head < c.kv_heads; ++head) {
    const auto at = static_cast<std::size_t>(head * c.tokens + first);
    const std::size_t offset = at * static_cast<std::size_t>(c.head_dim);
    const auto rows = [&](const std::vector<float>& from) {
      return kernels::ConstView<float, 2>::packed(from.data() + offset, {count, c.head_dim});
    };
    REQUIRE(cache
                .append(LayerId(0), KvHeadId(static_cast<std::int32_t>(head)),
                        TokenPos(static_cast<std::int32_t>(first)),
                        std::span(c.roles).subspan(at, static_cast<std::size_t>(count)), rows(c.keys), rows(c.values))
                .ok());
  }
}

}  // namespace natscope::test
