// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/ref/operations.h"
#include "kernels/ref/stored_element.h"

namespace natscope::kernels::ref {

namespace {

/// q·k/√D of one query and every entry of a head, page after page.
std::vector<double> entry_scores(ConstView<float, 2> queries, std::int64_t head, const KvCache& cache, LayerId layer,
                                 KvHeadId kv_head) {
  const std::int64_t head_dim = queries.size(1);
  std::vector<double> scores;
  for (std::int64_t index = 0; index < cache.page_count(layer, kv_head); ++index) {
    const KvPage page = cache.page(layer, kv_head, index);
    for (std::int32_t entry = 0; entry < page.count; ++entry) {
      double dot = 0;
      for (std::int64_t d = 0; d < head_dim; ++d) {
        dot += queries(head, d) * stored_element(page.keys, cache.shape().dtype, entry * head_dim + d);
      }
      scores.push_back(dot / std::sqrt(static_cast<double>(head_dim)));
    }
  }
  return scores;
}

}  // namespace

Status attention_decode(ConstView<float, 2> queries, ConstView<float, 2> self_key, ConstView<float, 2> self_value,
                        const KvCache& cache, LayerId layer, View<float, 2> out, std::span<float> lse,
                        std::span<float> self_scores) {
  const std::int64_t heads = queries.size(0);
  const std::int64_t head_dim = queries.size(1);
  for (float& score : self_scores) score = 0;

  for (std::int64_t head = 0; head < heads; ++head) {
    const KvHeadId kv_head =
        kv_head_of(HeadId(static_cast<std::int32_t>(head)), static_cast<std::int32_t>(heads), cache.shape().kv_heads);
    std::vector<double> scores = entry_scores(queries, head, cache, layer, kv_head);
    double self = 0;
    for (std::int64_t d = 0; d < head_dim; ++d)
      self += static_cast<double>(queries(head, d)) * self_key(kv_head.value, d);
    scores.push_back(self / std::sqrt(static_cast<double>(head_dim)));

    double largest = -std::numeric_limits<double>::infinity();
    for (const double score : scores) largest = std::max(largest, score);
    double sum = 0;
    for (const double score : scores) sum += std::exp(score - largest);
    const double row_lse = largest + std::log(sum);

    std::vector<double> row(static_cast<std::size_t>(head_dim), 0.0);
    std::size_t seen = 0;
    for (std::int64_t index = 0; index < cache.page_count(layer, kv_head); ++index) {
      const KvPage page = cache.page(layer, kv_head, index);
      for (std::int32_t entry = 0; entry < page.count; ++entry, ++seen) {
        const double weight = std::exp(scores[seen] - row_lse);
        for (std::int64_t d = 0; d < head_dim; ++d) {
          row[static_cast<std::size_t>(d)] +=
              weight * stored_element(page.values, cache.shape().dtype, entry * head_dim + d);
        }
        if (page.scores != nullptr && !self_scores.empty()) page.scores[entry] += static_cast<float>(weight);
      }
    }
    const double self_weight = std::exp(scores[seen] - row_lse);
    for (std::int64_t d = 0; d < head_dim; ++d) {
      out(head, d) = static_cast<float>(row[static_cast<std::size_t>(d)] + self_weight * self_value(kv_head.value, d));
    }
    if (!self_scores.empty()) self_scores[static_cast<std::size_t>(kv_head.value)] += static_cast<float>(self_weight);
    lse[static_cast<std::size_t>(head)] = static_cast<float>(row_lse);
  }
  return {};
}

}  // namespace natscope::kernels::ref
