// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/attention_tile.h"
#include "tests/kernels/random_arrays.h"

namespace natscope::test {

/// One head's map, dense and in double: weights [T, T] with −1 where the mask hides the key.
struct AttentionMapCase {
  std::int64_t tokens = 0;
  std::int64_t head_dim = 8;
  kernels::ElementType dtype = kernels::ElementType::f32;
  std::vector<float> queries;
  std::vector<float> keys;
  std::vector<kernels::Bf16> query_bits;
  std::vector<kernels::Bf16> key_bits;
  std::vector<float> lse;
  std::vector<std::int32_t> last_query;
  std::vector<double> weights;

  [[nodiscard]] double weight(std::int64_t m, std::int64_t n) const {
    return weights[static_cast<std::size_t>(m * tokens + n)];
  }
  [[nodiscard]] bool sees(std::int64_t m, std::int64_t n) const { return weight(m, n) >= 0; }

  [[nodiscard]] kernels::AttentionMapSource source() const {
    const bool plain = dtype == kernels::ElementType::f32;
    const void* q = plain ? static_cast<const void*>(queries.data()) : query_bits.data();
    const void* k = plain ? static_cast<const void*>(keys.data()) : key_bits.data();
    return {{q, dtype, tokens, head_dim, head_dim}, {k, dtype, tokens, head_dim, head_dim}, lse, last_query};
  }
};

inline AttentionMapCase random_map(RandomArrays& random, std::int64_t tokens, std::int64_t head_dim,
                                   std::int64_t window, kernels::ElementType dtype, const std::vector<double>& shares) {
  AttentionMapCase map{
      tokens, head_dim, dtype, random.normal(tokens * head_dim), random.normal(tokens * head_dim), {}, {}, {}, {}, {}};
  map.query_bits = rounded_to_bf16(map.queries);
  map.key_bits = rounded_to_bf16(map.keys);
  round_to(dtype, map.queries);
  round_to(dtype, map.keys);
  const std::vector<Role> roles = random.roles(tokens, shares);
  std::vector<std::int32_t> next(roles.size());
  REQUIRE(kernels::next_globals(roles, next).ok());
  for (std::int32_t n = 0; n < tokens; ++n) {
    const auto at = static_cast<std::size_t>(n);
    map.last_query.push_back(static_cast<std::int32_t>(last_query_that_sees(roles[at], TokenPos(n), next[at], window)));
  }
  map.weights.assign(static_cast<std::size_t>(tokens * tokens), -1.0);
  for (std::int64_t m = 0; m < tokens; ++m) {
    double sum = 0;
    for (std::int64_t n = 0; n <= m; ++n) {
      if (n != m && m > map.last_query[static_cast<std::size_t>(n)]) continue;
      double dot = 0;
      for (std::int64_t d = 0; d < head_dim; ++d) {
        dot += static_cast<double>(map.queries[static_cast<std::size_t>(m * head_dim + d)]) *
               map.keys[static_cast<std::size_t>(n * head_dim + d)];
      }
      const double weight = std::exp(dot / std::sqrt(static_cast<double>(head_dim)));
      map.weights[static_cast<std::size_t>(m * tokens + n)] = weight;
      sum += weight;
    }
    map.lse.push_back(static_cast<float>(std::log(sum)));
    for (std::int64_t n = 0; n <= m; ++n) {
      if (map.sees(m, n))
        map.weights[static_cast<std::size_t>(m * tokens + n)] /= std::exp(static_cast<double>(map.lse.back()));
    }
  }
  return map;
}

}  // namespace natscope::test
