// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/attention_statistics.h"
#include "kernels/attention_tile.h"

/// What maps ask of sizes and strides, wherever the arrays are: no element is read.
namespace natscope::kernels::launch {

inline constexpr int largest_zoom = 31;  // one cell is then more than any sequence

/// Whether the arrays a map is computed from have one row a token.
[[nodiscard]] inline Status check_map(const AttentionMapSource& source) {
  const std::int64_t tokens = source.queries.rows;
  if (tokens < 0 || source.keys.rows != tokens) return {StatusCode::shape_mismatch, "keys: one row a query"};
  if (source.queries.cols < 1 || source.keys.cols != source.queries.cols)
    return {StatusCode::shape_mismatch, "keys: head_dim of the queries"};
  if (source.queries.row_stride < source.queries.cols || source.keys.row_stride < source.keys.cols) {
    return {StatusCode::shape_mismatch, "row_stride: at least head_dim"};
  }
  if (static_cast<std::int64_t>(source.lse.size()) != tokens) return {StatusCode::shape_mismatch, "lse: [T]"};
  if (static_cast<std::int64_t>(source.last_query.size()) != tokens)
    return {StatusCode::shape_mismatch, "last_query: [T]"};
  return {};
}

[[nodiscard]] inline Status check_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key,
                                       int zoom, const View<float, 2>& maximum, const View<float, 2>& mean,
                                       const View<float, 2>& visible_share) {
  if (const Status status = check_map(source); !status.ok()) return status;
  if (mean.sizes != maximum.sizes || visible_share.sizes != maximum.sizes) {
    return {StatusCode::shape_mismatch, "maximum, mean, visible_share: of one size"};
  }
  if (zoom < 0 || zoom > largest_zoom) return {StatusCode::invalid_argument, "zoom: 0 … 31"};
  if (first_query.value < 0 || first_key.value < 0)
    return {StatusCode::invalid_argument, "first_query, first_key: not below 0"};
  return {};
}

[[nodiscard]] inline Status check_statistics(const AttentionMapSource& source, TokenPos first_query,
                                             std::span<const std::int32_t> other_last_query,
                                             const RowStatisticsOut& out) {
  if (const Status status = check_map(source); !status.ok()) return status;
  const std::int64_t count = out.count();
  for (const std::span<float> output : out.all()) {
    if (!output.empty() && static_cast<std::int64_t>(output.size()) != count)
      return {StatusCode::shape_mismatch, "entropy … lost: [count] or empty"};
  }
  if (first_query.value < 0) return {StatusCode::invalid_argument, "first_query: not below 0"};
  if (first_query.value + count > source.queries.rows)
    return {StatusCode::shape_mismatch, "count: more queries than the map has"};
  if (!out.lost.empty() && static_cast<std::int64_t>(other_last_query.size()) < first_query.value + count)
    return {StatusCode::shape_mismatch, "other_last_query: of every key up to the last query"};
  return {};
}

}  // namespace natscope::kernels::launch
