// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/explore/sequence_record.h"

namespace natscope::ui {

/// A record without a model: roles go round G, L, S by token and head, window 2.
inline SequenceRecord madeUpRecord(std::int32_t layers, std::int32_t kvHeads, std::int32_t tokens) {
  SequenceRecord record(CacheGeometry{.layers = layers, .kv_heads = kvHeads, .head_dim = 8}, false, 2);
  const auto heads = static_cast<std::size_t>(layers * kvHeads);
  for (std::int32_t position = 0; position < tokens; ++position) {
    TokenFrame frame;
    frame.position = TokenPos(position);
    frame.token = position;
    frame.text = " t" + std::to_string(position);
    for (std::size_t head = 0; head < heads; ++head) {
      frame.roles.push_back(position == 0 ? Role::global
                                          : static_cast<Role>((static_cast<std::size_t>(position) + head) % 3));
      frame.entries.push_back(position / 2 + 1);
    }
    frame.counts = {.tokens = position + 1,
                    .entries = 0,
                    .dense_bytes = 1000 * (position + 1),
                    .live_bytes = 500 * (position + 1),
                    .allocated_bytes = 4096,
                    .fraction = 0.5,
                    .paper_fraction = 0.5};
    if (!record.append(std::move(frame))) break;
  }
  return record;
}

}  // namespace natscope::ui
