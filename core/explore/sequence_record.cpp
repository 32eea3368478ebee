// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/sequence_record.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <string>
#include <utility>

namespace natscope {

namespace {

std::int32_t capped(std::int64_t position) {
  return static_cast<std::int32_t>(std::min<std::int64_t>(position, no_next_global));
}

bool in_geometry(const EvictedEntry& entry, const CacheGeometry& geometry, std::int64_t tokens) {
  return entry.layer.value >= 0 && entry.layer.value < geometry.layers && entry.kv_head.value >= 0 &&
         entry.kv_head.value < geometry.kv_heads && entry.position.value >= 0 && entry.position.value < tokens;
}

Expected<void> check_frame(const TokenFrame& frame, const CacheGeometry& geometry, bool has_scores,
                           std::int64_t position) {
  const auto heads = static_cast<std::size_t>(geometry.layers) * static_cast<std::size_t>(geometry.kv_heads);
  const std::string where = "token " + std::to_string(position) + ": ";
  if (frame.position.value != position) {
    return fail(ErrorCode::bad_session, where + "its frame says position " + std::to_string(frame.position.value));
  }
  if (frame.roles.size() != heads || frame.entries.size() != heads ||
      frame.scores.size() != (has_scores ? heads * role_count : 0)) {
    return fail(ErrorCode::bad_session, where + "roles, scores or entries do not fit the model's layers and KV heads");
  }
  const bool roles_valid =
      std::ranges::all_of(frame.roles, [](Role role) { return static_cast<int>(role) < role_count; });
  if (!roles_valid) return fail(ErrorCode::bad_session, where + "a role that is none of 0, 1 and 2");
  const bool evicted_valid = std::ranges::all_of(
      frame.evicted, [&](const EvictedEntry& entry) { return in_geometry(entry, geometry, position + 1); });
  if (!evicted_valid)
    return fail(ErrorCode::bad_session, where + "an evicted entry that the model or text does not have");
  return {};
}

}  // namespace

SequenceRecord::SequenceRecord(CacheGeometry geometry, bool has_scores, std::optional<std::int64_t> window)
    : geometry_(geometry), has_scores_(has_scores), window_(window) {
  clear();
}

SequenceRecord::Tokens& SequenceRecord::own() {
  if (!tokens_) {
    tokens_ = std::make_shared<Tokens>();
  } else if (tokens_.use_count() > 1) {
    tokens_ = std::make_shared<Tokens>(*tokens_);
  } else {
    // The last other owner may just have read them on another thread, and let go.
    std::atomic_thread_fence(std::memory_order_acquire);
  }
  return *tokens_;
}

void SequenceRecord::append_roles(Tokens& tokens, std::span<const TokenFrame> frames, std::size_t head) const {
  std::vector<Role>& roles = tokens.roles[head];
  std::vector<std::int32_t>& next = tokens.next_global[head];
  std::vector<std::int32_t>& last = tokens.last_query[head];
  HeadTally& tally = tokens.tallies[head];
  for (const TokenFrame& frame : frames) {
    const Role role = frame.roles[head];
    const std::int32_t position = frame.position.value;
    ++tally.role_tokens[static_cast<std::size_t>(role)];
    if (role == Role::global) {
      // Back to the last global token, that one included: everything before it has its next global already.
      for (std::size_t n = next.size(); n-- > 0 && next[n] == no_next_global;) {
        next[n] = position;
        if (roles[n] == Role::local) last[n] = std::min(last[n], position);
      }
      tally.ended_local_life += tally.open_locals * position - tally.open_local_positions;
      tally.open_locals = tally.open_local_positions = 0;
    } else if (role == Role::local) {
      ++tally.open_locals;
      tally.open_local_positions += position;
    }
    roles.push_back(role);
    next.push_back(no_next_global);
    last.push_back(capped(last_query_that_sees(role, frame.position, no_next_global, window_.value_or(0))));
  }
}

Expected<void> SequenceRecord::append(std::span<TokenFrame> frames) {
  for (std::size_t n = 0; n < frames.size(); ++n)
    NATSCOPE_CHECK(check_frame(frames[n], geometry_, has_scores_, size() + static_cast<std::int64_t>(n)));
  if (frames.empty()) return {};
  Tokens& tokens = own();
  // Head by head, a few frames at a time: both what is read and what is written stay in the processor's cache.
  constexpr std::size_t frames_at_once = 64;
  for (std::size_t first = 0; first < frames.size(); first += frames_at_once) {
    const std::span<const TokenFrame> some = frames.subspan(first, std::min(frames_at_once, frames.size() - first));
    for (std::size_t head = 0; head < tokens.roles.size(); ++head) append_roles(tokens, some, head);
  }
  for (const TokenFrame& frame : frames) {
    for (const EvictedEntry& entry : frame.evicted) evict(tokens, entry, frame.position.value);
  }
  tokens.frames.insert(tokens.frames.end(), std::move_iterator(frames.begin()), std::move_iterator(frames.end()));
  return {};
}

void SequenceRecord::evict(Tokens& tokens, const EvictedEntry& entry, std::int32_t step) const {
  const std::size_t head = head_index(entry.layer, entry.kv_head);
  const auto n = static_cast<std::size_t>(entry.position.value);
  std::int32_t& last = tokens.last_query[head][n];
  const std::int32_t before = std::exchange(last, std::min(last, step));
  if (tokens.roles[head][n] != Role::local || before == last) return;
  HeadTally& tally = tokens.tallies[head];
  if (before == no_next_global) {
    --tally.open_locals;
    tally.open_local_positions -= entry.position.value;
    tally.ended_local_life += step - entry.position.value;
  } else {
    tally.ended_local_life -= before - last;
  }
}

void SequenceRecord::finish_prompt(TokenPos first, std::int64_t allocated_bytes, double step_ms) {
  Tokens& tokens = own();
  for (auto n = static_cast<std::size_t>(first.value); n < tokens.frames.size(); ++n) {
    tokens.frames[n].counts.allocated_bytes = allocated_bytes;
    tokens.frames[n].step_ms = step_ms;
  }
}

std::span<const Role> SequenceRecord::roles(LayerId layer, KvHeadId kv_head) const {
  return tokens_->roles[head_index(layer, kv_head)];
}

std::span<const std::int32_t> SequenceRecord::next_global(LayerId layer, KvHeadId kv_head) const {
  return tokens_->next_global[head_index(layer, kv_head)];
}

std::span<const std::int32_t> SequenceRecord::last_query(LayerId layer, KvHeadId kv_head) const {
  return tokens_->last_query[head_index(layer, kv_head)];
}

const HeadTally& SequenceRecord::tally(LayerId layer, KvHeadId kv_head) const {
  return tokens_->tallies[head_index(layer, kv_head)];
}

void SequenceRecord::clear() {
  const auto heads = static_cast<std::size_t>(geometry_.layers) * static_cast<std::size_t>(geometry_.kv_heads);
  tokens_ = std::make_shared<Tokens>();
  tokens_->roles.resize(heads);
  tokens_->next_global.resize(heads);
  tokens_->last_query.resize(heads);
  tokens_->tallies.resize(heads);
}

std::size_t SequenceRecord::head_index(LayerId layer, KvHeadId kv_head) const {
  return static_cast<std::size_t>(layer.value) * static_cast<std::size_t>(geometry_.kv_heads) +
         static_cast<std::size_t>(kv_head.value);
}

}  // namespace natscope
