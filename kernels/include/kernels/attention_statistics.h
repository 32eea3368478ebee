// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/attention_tile.h"

namespace natscope::kernels {

/// What row_statistics writes: each [count] f32 for queries first_query … first_query + count - 1; any may be empty.
struct RowStatisticsOut {
  static constexpr std::int64_t kinds = 5;

  std::span<float> entropy{};      ///< −Σ w ln w, in nats
  std::span<float> sink_weight{};  ///< the weight on position 0
  std::span<float> self_weight{};  ///< the weight on the query itself
  std::span<float> distance{};     ///< Σ w · (query − key), in tokens
  /// Σ w over the keys that another run of the same tokens does not show the query: key < query and
  /// other_last_query[key] < query.
  std::span<float> lost{};

  [[nodiscard]] std::array<std::span<float>, kinds> all() const {
    return {entropy, sink_weight, self_weight, distance, lost};
  }
  [[nodiscard]] std::int64_t count() const {
    std::size_t count = 0;
    for (const std::span<float> each : all()) count = each.size() > count ? each.size() : count;
    return static_cast<std::int64_t>(count);
  }
};

/// Statistics of the weights of consecutive queries (the rules, section 12).
///   other_last_query  as AttentionMapSource::last_query, of the other run: read where `out.lost` is not empty, of
///   every
///                     key up to the last query, else it may be empty
/// Cost: visible pairs of those rows. Errors: shape_mismatch, invalid_argument.
Status row_statistics(Backend backend, const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const RowStatisticsOut& out);

/// How many tokens have each role: counts[G, L, S] over roles [T].
[[nodiscard]] std::array<std::int64_t, role_count> role_counts(std::span<const Role> roles);

}  // namespace natscope::kernels
