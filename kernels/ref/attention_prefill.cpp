// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/ref/operations.h"
#include "kernels/ref/stored_element.h"

namespace natscope::kernels::ref {

namespace {

/// A key and value that some query of the chunk may see, with what decides which one does.
struct Entry {
  std::vector<double> key;
  std::vector<double> value;
  TokenPos position;
  Role role;
  std::int32_t next_global;
};

/// What the cache still holds and the chunk itself, of one KV head.
std::vector<Entry> entries_of(ConstView<float, 3> keys, ConstView<float, 3> values, ConstView<Role, 2> roles,
                              const KvCache& cache, LayerId layer, KvHeadId kv_head, TokenPos first) {
  const std::int64_t chunk = keys.size(1);
  const std::int64_t head_dim = keys.size(2);
  std::vector<std::int32_t> next(static_cast<std::size_t>(chunk) + 1,
                                 no_next_global);  // [0]: of everything in the cache
  for (std::int64_t n = chunk; n-- > 0;) {
    const auto at = static_cast<std::size_t>(n);
    next[at] = roles(kv_head.value, n) == Role::global ? first.value + static_cast<std::int32_t>(n) : next[at + 1];
  }

  std::vector<Entry> entries;
  for (std::int64_t index = 0; index < cache.page_count(layer, kv_head); ++index) {
    const KvPage page = cache.page(layer, kv_head, index);
    for (std::int32_t slot = 0; slot < page.count; ++slot) {
      Entry entry{{}, {}, TokenPos(page.positions[slot]), page.roles[slot], next[0]};
      for (std::int64_t d = 0; d < head_dim; ++d) {
        entry.key.push_back(stored_element(page.keys, cache.shape().dtype, slot * head_dim + d));
        entry.value.push_back(stored_element(page.values, cache.shape().dtype, slot * head_dim + d));
      }
      entries.push_back(std::move(entry));
    }
  }
  for (std::int64_t n = 0; n < chunk; ++n) {
    Entry entry{{},
                {},
                TokenPos(first.value + static_cast<std::int32_t>(n)),
                roles(kv_head.value, n),
                next[static_cast<std::size_t>(n) + 1]};
    for (std::int64_t d = 0; d < head_dim; ++d) {
      entry.key.push_back(keys(kv_head.value, n, d));
      entry.value.push_back(values(kv_head.value, n, d));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

Status attention_prefill(ConstView<float, 3> queries, ConstView<float, 3> keys, ConstView<float, 3> values,
                         ConstView<Role, 2> roles, const KvCache& cache, LayerId layer, TokenPos first,
                         View<float, 3> out, View<float, 2> lse) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t chunk = queries.size(1);
  const std::int64_t head_dim = queries.size(2);
  const std::int64_t group = heads / cache.shape().kv_heads;

  for (std::int64_t head = 0; head < heads; ++head) {
    const KvHeadId kv_head(static_cast<std::int32_t>(head / group));
    const std::vector<Entry> entries = entries_of(keys, values, roles, cache, layer, kv_head, first);
    for (std::int64_t m = 0; m < chunk; ++m) {
      const TokenPos query(first.value + static_cast<std::int32_t>(m));
      std::vector<double> scores(entries.size(), -std::numeric_limits<double>::infinity());
      double largest = -std::numeric_limits<double>::infinity();
      for (std::size_t n = 0; n < entries.size(); ++n) {
        const Entry& entry = entries[n];
        if (!visible(entry.role, entry.position, query, entry.next_global, cache.window())) continue;
        double dot = 0;
        for (std::int64_t d = 0; d < head_dim; ++d) dot += queries(head, m, d) * entry.key[static_cast<std::size_t>(d)];
        scores[n] = dot / std::sqrt(static_cast<double>(head_dim));
        largest = std::max(largest, scores[n]);
      }
      double sum = 0;
      for (const double score : scores) sum += std::exp(score - largest);
      lse(head, m) = static_cast<float>(largest + std::log(sum));
      for (std::int64_t d = 0; d < head_dim; ++d) {
        double total = 0;
        for (std::size_t n = 0; n < entries.size(); ++n)
          total += std::exp(scores[n] - largest) / sum * entries[n].value[static_cast<std::size_t>(d)];
        out(head, m, d) = static_cast<float>(total);
      }
    }
  }
  return {};
}

}  // namespace natscope::kernels::ref
