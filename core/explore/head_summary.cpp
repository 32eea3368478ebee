// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/head_summary.h"

namespace natscope {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

double HeadSummary::role_share(Role role) const { return share(role_tokens[static_cast<std::size_t>(role)], tokens); }
double HeadSummary::kv_fraction() const { return share(entries, tokens); }
double HeadSummary::mean_local_life() const {
  return share(local_life_tokens, role_tokens[static_cast<std::size_t>(Role::local)]);
}

std::vector<HeadSummary> head_summaries(const SequenceRecord& record) {
  std::vector<HeadSummary> heads;
  const CacheGeometry& geometry = record.geometry();
  const std::int64_t tokens = record.size();
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < geometry.kv_heads; ++kv_head) {
      HeadSummary head;
      head.layer = LayerId(layer);
      head.kv_head = KvHeadId(kv_head);
      head.tokens = tokens;
      if (tokens > 0) head.entries = record.frames().back().entries[heads.size()];
      const HeadTally& tally = record.tally(head.layer, head.kv_head);
      head.role_tokens = tally.role_tokens;
      head.locals_held = tally.open_locals;
      head.local_life_tokens = tally.ended_local_life + tally.open_locals * (tokens - 1) - tally.open_local_positions;
      heads.push_back(head);
    }
  }
  return heads;
}

}  // namespace natscope
