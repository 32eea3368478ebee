// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/head_summary.h"

#include <algorithm>

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
      const auto roles = record.roles(head.layer, head.kv_head);
      const auto last_query = record.last_query(head.layer, head.kv_head);
      for (std::size_t n = 0; n < roles.size(); ++n) {
        ++head.role_tokens[static_cast<std::size_t>(roles[n])];
        if (roles[n] != Role::local) continue;
        if (last_query[n] >= tokens) ++head.locals_held;
        head.local_life_tokens +=
            std::min<std::int64_t>(last_query[n], tokens - 1) - static_cast<std::int64_t>(n);
      }
      heads.push_back(head);
    }
  }
  return heads;
}

}  // namespace natscope
