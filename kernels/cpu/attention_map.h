// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention_tile.h"
#include "kernels/cpu/query_block.h"

namespace natscope::kernels::cpu {

/// Neighbouring rows of an attention map that are worked on together.
struct MapRows {
  std::int64_t first = 0;  ///< position of the first query
  std::int64_t count = 0;  ///< at most query_block
};

/// Floats that one thread needs to compute the weights of such rows: queries, scores, lse and converted keys.
[[nodiscard]] constexpr std::int64_t map_room(std::int64_t head_dim) {
  return ((query_block + key_block) * head_dim + key_block * query_block + query_block + 31) / 16 * 16;
}

/// Whether some query of the rows sees the key.
[[nodiscard]] inline bool any_row_sees(const AttentionMapSource& source, const MapRows& rows, std::int64_t key) {
  const std::int64_t last = std::max<std::int64_t>(source.last_query[static_cast<std::size_t>(key)], key);
  return key < rows.first + rows.count && last >= rows.first;
}

/// Fills keys[…] with the next keys that the rows see, from `from` on and before `end`; returns how many, at most
/// key_block. `from` is moved behind the last one.
[[nodiscard]] inline std::int64_t next_seen_keys(const AttentionMapSource& source, const MapRows& rows,
                                                 std::int64_t& from, std::int64_t end, std::int64_t* keys) {
  std::int64_t count = 0;
  const std::int64_t stop = std::min(end, rows.first + rows.count);
  for (; from < stop && count < key_block; ++from) {
    if (any_row_sees(source, rows, from)) keys[count++] = from;
  }
  return count;
}

}  // namespace natscope::kernels::cpu
