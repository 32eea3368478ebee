// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/lifeline.h"

#include <algorithm>
#include <cstddef>

#include "core/base/grouped_digits.h"
#include "core/cache/head_checks.h"

namespace natscope {

namespace {

const char* role_name(Role role) {
  switch (role) {
    case Role::global:
      return "global";
    case Role::local:
      return "local";
    case Role::sliding:
      return "sliding";
  }
  return "";
}

/// Dropped after the last query that sees it, once that query was processed.
bool is_gone(std::int32_t last_query, std::int64_t tokens) { return last_query < tokens; }

}  // namespace

Expected<Lifeline> lifeline_of(const SequenceRecord& record, LayerId layer, KvHeadId kv_head, TokenPos position) {
  NATSCOPE_CHECK(check_layer(layer, record.geometry().layers));
  NATSCOPE_CHECK(check_kv_head(kv_head, record.geometry().kv_heads));
  if (position.value < 0 || position.value >= record.size()) {
    return fail(ErrorCode::bad_position,
                "no token " + std::to_string(position.value) + " in a text of " + std::to_string(record.size()));
  }

  const auto at = static_cast<std::size_t>(position.value);
  Lifeline line{position, record.roles(layer, kv_head)[at], EntryFate::held, {}, {}};
  const std::int32_t last = record.last_query(layer, kv_head)[at];
  if (!is_gone(last, record.size())) return line;

  line.dropped_after = TokenPos(last);
  const std::int32_t next_global = record.next_global(layer, kv_head)[at];
  if (line.role == Role::local && last == next_global) {
    line.fate = EntryFate::ended_by_global;
    line.ended_by = TokenPos(next_global);
  } else if (line.role == Role::sliding && last == position.value + record.window().value_or(0)) {
    line.fate = EntryFate::left_window;
  } else {
    line.fate = EntryFate::evicted_by_policy;
  }
  return line;
}

std::string describe(const Lifeline& lifeline, bool has_role) {
  const std::string role = has_role ? std::string(role_name(lifeline.role)) + ", " : std::string();
  const std::string dropped =
      role + "dropped" + (lifeline.dropped_after ? " after " + grouped_digits(lifeline.dropped_after->value) : "");
  switch (lifeline.fate) {
    case EntryFate::held:
      return role + "still held";
    case EntryFate::ended_by_global:
      return dropped + ", which became global and ended it";
    case EntryFate::left_window:
      return dropped + ", when it left the window";
    case EntryFate::evicted_by_policy:
      return dropped + ", evicted by the policy";
  }
  return dropped;
}

double held_share(const SequenceRecord& record, TokenPos position) {
  if (position.value < 0 || position.value >= record.size()) return 0;
  return held_shares(record, position, TokenPos(position.value + 1)).front();
}

std::vector<double> held_shares(const SequenceRecord& record, TokenPos begin, TokenPos end) {
  const CacheGeometry& geometry = record.geometry();
  std::vector<double> shares(static_cast<std::size_t>(end.value - begin.value), 0.0);
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    for (std::int32_t kv_head = 0; kv_head < geometry.kv_heads; ++kv_head) {
      const auto last =
          record.last_query(LayerId(layer), KvHeadId(kv_head)).subspan(static_cast<std::size_t>(begin.value));
      for (std::size_t i = 0; i < shares.size(); ++i) shares[i] += is_gone(last[i], record.size()) ? 0.0 : 1.0;
    }
  }
  const double heads = std::max(1.0, static_cast<double>(geometry.layers) * geometry.kv_heads);
  for (double& share : shares) share /= heads;
  return shares;
}

}  // namespace natscope
