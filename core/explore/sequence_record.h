// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/accounting.h"
#include "kernels/ids.h"
#include "kernels/token_roles.h"

namespace natscope {

/// A token the model thought likely, and how likely.
struct TokenCandidate {
  std::int32_t token = 0;
  float probability = 0;

  friend bool operator==(const TokenCandidate&, const TokenCandidate&) = default;
};

/// An entry that H2O dropped in a step; elsewhere roles say what is dropped.
struct EvictedEntry {
  LayerId layer;
  KvHeadId kv_head;
  TokenPos position;

  friend bool operator==(const EvictedEntry&, const EvictedEntry&) = default;
};

/// Everything seen while one token was processed: a few hundred bytes a layer. What the window shows and a session
/// stores.
struct TokenFrame {
  TokenPos position;
  std::int32_t token = 0;
  std::string text;           ///< what the token adds on screen; UTF-8, may be empty while a character is incomplete
  bool generated = false;     ///< false: part of the prompt
  std::vector<Role> roles;    ///< [layers, kv_heads]; all global under H2O, which has no roles
  std::vector<float> scores;  ///< [layers, kv_heads, 3] before the bias; empty without score layers
  std::vector<std::int32_t> entries;  ///< [layers, kv_heads] held after this token
  CacheCounts counts;                 ///< after this token (prompt: allocated_bytes as after the prefill)
  float probability = 0;  ///< the model's probability of this token before it came; 0 where it was not computed
  /// The likeliest next tokens after this one, best first; empty where not kept.
  std::vector<TokenCandidate> candidates;
  std::vector<EvictedEntry> evicted;  ///< by H2O after this token; empty under every other policy
  double step_ms = 0;                 ///< wall time of its step; a prompt's tokens share the prefill's evenly
};

/// A sequence as it was processed, frame after frame. Plain data: one owner, one thread.
class SequenceRecord {
 public:
  SequenceRecord() = default;
  SequenceRecord(CacheGeometry geometry, bool has_scores, std::optional<std::int64_t> window);

  /// Errors: bad_session (sizes that do not fit the geometry, a position out of order) — frames may come from outside.
  [[nodiscard]] Expected<void> append(TokenFrame frame) { return append(std::span(&frame, 1)); }
  /// The same of several in a row, which are moved out of `frames`: all, or on an error none.
  [[nodiscard]] Expected<void> append(std::span<TokenFrame> frames);

  /// What is known only after a prefill: memory and time of its tokens, which are those from `first` on.
  void finish_prompt(TokenPos first, std::int64_t allocated_bytes, double step_ms);

  [[nodiscard]] const CacheGeometry& geometry() const { return geometry_; }
  [[nodiscard]] bool has_scores() const { return has_scores_; }
  [[nodiscard]] std::optional<std::int64_t> window() const { return window_; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(frames_.size()); }
  [[nodiscard]] const TokenFrame& frame(TokenPos position) const {
    return frames_[static_cast<std::size_t>(position.value)];
  }
  [[nodiscard]] std::span<const TokenFrame> frames() const { return frames_; }

  /// The roles of one head so far, [size()], contiguous; valid until the next append.
  [[nodiscard]] std::span<const Role> roles(LayerId layer, KvHeadId kv_head) const;
  /// next_global of one head so far, [size()] (kernels::next_globals), kept up to date by append.
  [[nodiscard]] std::span<const std::int32_t> next_global(LayerId layer, KvHeadId kv_head) const;

  /// The last query that may see each key of one head, [size()]: what an attention map masks by (last_query_that_sees,
  /// or the step in which H2O dropped it; no_next_global while it is open), kept up to date by append.
  [[nodiscard]] std::span<const std::int32_t> last_query(LayerId layer, KvHeadId kv_head) const;

  void clear();

 private:
  [[nodiscard]] std::size_t head_index(LayerId layer, KvHeadId kv_head) const;
  void append_roles(std::span<const TokenFrame> frames, std::size_t head);

  CacheGeometry geometry_;
  bool has_scores_ = false;
  std::optional<std::int64_t> window_;
  std::vector<TokenFrame> frames_;
  std::vector<std::vector<Role>> roles_;                // [layers * kv_heads][T]
  std::vector<std::vector<std::int32_t>> next_global_;  // [layers * kv_heads][T]
  std::vector<std::vector<std::int32_t>> last_query_;   // [layers * kv_heads][T]
};

}  // namespace natscope
