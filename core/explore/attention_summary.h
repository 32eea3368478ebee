// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/attention_statistics.h"

namespace natscope {

/// What one query head attends to: means over queries of its map (the rules, section 12).
struct AttentionSummary {
  std::int64_t queries = 0;  ///< that the means are of: summary_queries
  double entropy = 0;        ///< −Σ w ln w of a query's weights, in nats
  double sink_weight = 0;    ///< of position 0
  double self_weight = 0;    ///< of the query's own position
  double distance = 0;       ///< Σ w · (query − key), in tokens
  /// How many of them another run of the same tokens has, too; 0: there is none.
  std::int64_t compared_queries = 0;
  double lost = 0;  ///< their weight on what that run had dropped by then, 0 … 1

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
  /// What kernels::row_statistics wrote; all but `lost`, which may be empty, of as many queries.
  void add(const kernels::RowStatisticsOut& rows);
  /// The row of one query from its weights [keys]; those that it does not see are exactly 0.
  ///   other_last_query  until when another run held each key, of the tokens that both have; empty: there is none
  void add_row(std::span<const float> weights, std::int64_t query, std::span<const std::int32_t> other_last_query = {});
  /// Nothing without queries, and where a weight was no number.
  [[nodiscard]] std::optional<AttentionSummary> mean() const;

 private:
  AttentionSummary sums_{};
};

}  // namespace natscope
