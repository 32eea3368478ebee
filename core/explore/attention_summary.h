// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace natscope {

/// What one query head attends to: means over queries of its map.
struct AttentionSummary {
  std::int64_t queries = 0;  ///< that the means are of: summary_queries
  double entropy = 0;        ///< −Σ w ln w of a query's weights, in nats
  double sink_weight = 0;    ///< of position 0
  double self_weight = 0;    ///< of the query's own position

  friend bool operator==(const AttentionSummary&, const AttentionSummary&) = default;
};

/// Consecutive queries.
struct QueryRun {
  std::int32_t first = 0;
  std::int32_t count = 0;

  friend bool operator==(const QueryRun&, const QueryRun&) = default;
};

/// The queries that a summary of a map of `tokens` is of, so that a long text costs no more than its map does: all of
/// them up to 2896 tokens, of more of them runs of 16, spread evenly, and never fewer than 32 such runs.
[[nodiscard]] std::vector<QueryRun> summary_queries(std::int64_t tokens);

/// Adds queries up.
class AttentionSums {
 public:
  /// One number a query: what kernels::row_statistics writes.
  void add(std::span<const float> entropy, std::span<const float> sink_weight, std::span<const float> self_weight);
  /// The row of one query from its weights [keys]; those that it does not see are exactly 0.
  void add_row(std::span<const float> weights, std::int64_t query);
  /// Nothing without queries, and where a weight was no number.
  [[nodiscard]] std::optional<AttentionSummary> mean() const;

 private:
  AttentionSummary sums_;
};

}  // namespace natscope
