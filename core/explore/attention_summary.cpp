// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/attention_summary.h"

#include <algorithm>
#include <cmath>
#include <iterator>
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

void AttentionSums::add(const kernels::RowStatisticsOut& rows) {
  sums_.queries += rows.count();
  sums_.entropy += sum_of(rows.entropy);
  sums_.sink_weight += sum_of(rows.sink_weight);
  sums_.self_weight += sum_of(rows.self_weight);
  sums_.distance += sum_of(rows.distance);
  sums_.compared_queries += std::ssize(rows.lost);
  sums_.lost += sum_of(rows.lost);
}

void AttentionSums::add_row(std::span<const float> weights, std::int64_t query,
                            std::span<const std::int32_t> other_last_query) {
  ++sums_.queries;
  const bool is_compared = query >= 0 && query < std::ssize(other_last_query);
  if (is_compared) ++sums_.compared_queries;
  for (std::int64_t key = 0; key < std::ssize(weights); ++key) {
    const auto weight = static_cast<double>(weights[static_cast<std::size_t>(key)]);
    if (weight > 0) sums_.entropy -= weight * std::log(weight);
    sums_.distance += weight * static_cast<double>(query - key);
    const bool is_gone = is_compared && key < query && other_last_query[static_cast<std::size_t>(key)] < query;
    if (is_gone) sums_.lost += weight;
  }
  if (!weights.empty()) sums_.sink_weight += static_cast<double>(weights.front());
  if (query >= 0 && query < static_cast<std::int64_t>(weights.size()))
    sums_.self_weight += static_cast<double>(weights[static_cast<std::size_t>(query)]);
}

std::optional<AttentionSummary> AttentionSums::mean() const {
  const double all = sums_.entropy + sums_.sink_weight + sums_.self_weight + sums_.distance + sums_.lost;
  if (sums_.queries == 0 || !std::isfinite(all)) return std::nullopt;
  const auto queries = static_cast<double>(sums_.queries);
  const auto compared = static_cast<double>(std::max<std::int64_t>(1, sums_.compared_queries));
  return AttentionSummary{sums_.queries,
                          sums_.entropy / queries,
                          sums_.sink_weight / queries,
                          sums_.self_weight / queries,
                          sums_.distance / queries,
                          sums_.compared_queries,
                          sums_.lost / compared};
}

}  // namespace natscope
