// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>

#include "kernels/attention_tile.h"
#include "kernels/ref/stored_element.h"

namespace natscope::kernels::ref {

inline bool map_visible(const AttentionMapSource& source, std::int64_t query, std::int64_t key) {
  return key <= query && (key == query || query <= source.last_query[static_cast<std::size_t>(key)]);
}

/// exp(q·k/√D − lse) of a visible pair.
inline double map_weight(const AttentionMapSource& source, std::int64_t query, std::int64_t key) {
  double dot = 0;
  for (std::int64_t d = 0; d < source.queries.cols; ++d) {
    dot += stored_element(source.queries.data, source.queries.dtype, query * source.queries.row_stride + d) *
           stored_element(source.keys.data, source.keys.dtype, key * source.keys.row_stride + d);
  }
  return std::exp(dot / std::sqrt(static_cast<double>(source.queries.cols)) -
                  source.lse[static_cast<std::size_t>(query)]);
}

}  // namespace natscope::kernels::ref
