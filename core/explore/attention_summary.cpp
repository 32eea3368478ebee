// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/attention_summary.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace natscope {
namespace {

constexpr std::int64_t most_pairs = std::int64_t{1} << 22U;  // of queries with keys that they may see, about
constexpr std::int64_t run_queries = 16;
constexpr std::int64_t least_runs = 32;

double sum_of(std::span<const float> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

}  // namespace

std::vector<QueryRun> summary_queries(std::int64_t tokens) {
  if (tokens <= 0) return {};
  if (tokens * tokens / 2 <= most_pairs) return {{0, static_cast<std::int32_t>(tokens)}};
  const std::int64_t runs = std::max(least_runs, 2 * most_pairs / (run_queries * tokens));
  std::vector<QueryRun> spread;
  spread.reserve(static_cast<std::size_t>(runs));
  // In the middle of equal parts of the text.
  for (std::int64_t run = 0; run < runs; ++run) {
    const std::int64_t first = (2 * run + 1) * tokens / (2 * runs) - run_queries / 2;
    spread.push_back({static_cast<std::int32_t>(first), static_cast<std::int32_t>(run_queries)});
  }
  return spread;
}

void AttentionSums::add(std::span<const float> entropy, std::span<const float> sink_weight,
                        std::span<const float> self_weight) {
  sums_.queries += static_cast<std::int64_t>(entropy.size());
  sums_.entropy += sum_of(entropy);
  sums_.sink_weight += sum_of(sink_weight);
  sums_.self_weight += sum_of(self_weight);
}

void AttentionSums::add_row(std::span<const float> weights, std::int64_t query) {
  ++sums_.queries;
  for (const float each : weights) {
    const auto weight = static_cast<double>(each);
    if (weight > 0) sums_.entropy -= weight * std::log(weight);
  }
  if (!weights.empty()) sums_.sink_weight += static_cast<double>(weights.front());
  if (query >= 0 && query < static_cast<std::int64_t>(weights.size()))
    sums_.self_weight += static_cast<double>(weights[static_cast<std::size_t>(query)]);
}

std::optional<AttentionSummary> AttentionSums::mean() const {
  if (sums_.queries == 0 || !std::isfinite(sums_.entropy + sums_.sink_weight + sums_.self_weight)) return std::nullopt;
  const auto queries = static_cast<double>(sums_.queries);
  return AttentionSummary{sums_.queries, sums_.entropy / queries, sums_.sink_weight / queries,
                          sums_.self_weight / queries};
}

}  // namespace natscope
