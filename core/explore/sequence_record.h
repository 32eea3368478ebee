// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <memory>
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

/// A probability as a frame holds it: never 0, which says that it is not known. The least one, 1.4e-45, stands for all
/// that are smaller, so that no loss is over 103.3 nats.
[[nodiscard]] inline float as_probability(double probability) {
  return std::max(static_cast<float>(probability), std::numeric_limits<float>::denorm_min());
}

/// An entry that a policy without roles (has_roles) dropped in a step; elsewhere roles say what is dropped.
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
  std::vector<Role> roles;    ///< [layers, kv_heads]; all global under a policy without roles
  std::vector<float> scores;  ///< [layers, kv_heads, 3] before the bias; empty without score layers
  std::vector<std::int32_t> entries;  ///< [layers, kv_heads] held after this token
  CacheCounts counts;                 ///< after this token (prompt: allocated_bytes as after the prefill)
  float probability = 0;              ///< as_probability() of this token before it came; 0 where it was not computed
  /// The likeliest next tokens after this one, best first; empty where not kept.
  std::vector<TokenCandidate> candidates;
  std::vector<EvictedEntry> evicted;  ///< after this token, where no roles decide; else empty
  double step_ms = 0;                 ///< wall time of its step; a prompt's tokens share the prefill's evenly
};

/// What one head's tokens are so far, kept by append: who draws or lists heads need not read T tokens.
struct HeadTally {
  std::array<std::int64_t, role_count> role_tokens{};  ///< tokens of each role
  std::int64_t open_locals = 0;                        ///< Locals that no Global has ended …
  std::int64_t open_local_positions = 0;               ///< … and the sum of their positions
  /// Sum over the other Locals n of last_query(n) − n.
  std::int64_t ended_local_life = 0;

  friend bool operator==(const HeadTally&, const HeadTally&) = default;
};

/// A sequence as it was processed, frame after frame. Plain data. A copy costs nothing: it shares the frames until one
/// of the two is changed, which copies them. Each copy belongs to one thread; two that share may be on two.
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
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(frames().size()); }
  [[nodiscard]] const TokenFrame& frame(TokenPos position) const {
    return tokens_->frames[static_cast<std::size_t>(position.value)];
  }
  /// Whether allocated bytes were read from an allocator: in another program's trace nobody may have.
  [[nodiscard]] bool knows_allocated() const { return size() > 0 && frames().back().counts.allocated_bytes > 0; }
  [[nodiscard]] std::span<const TokenFrame> frames() const {
    return tokens_ ? std::span<const TokenFrame>(tokens_->frames) : std::span<const TokenFrame>();
  }

  /// The roles of one head so far, [size()], contiguous; valid until the next append.
  [[nodiscard]] std::span<const Role> roles(LayerId layer, KvHeadId kv_head) const;
  /// next_global of one head so far, [size()] (kernels::next_globals), kept up to date by append.
  [[nodiscard]] std::span<const std::int32_t> next_global(LayerId layer, KvHeadId kv_head) const;

  /// The last query that may see each key of one head, [size()]: what an attention map masks by (last_query_that_sees,
  /// or the step in which a policy without roles dropped it; no_next_global while it is open), kept up to date by
  /// append.
  [[nodiscard]] std::span<const std::int32_t> last_query(LayerId layer, KvHeadId kv_head) const;

  [[nodiscard]] const HeadTally& tally(LayerId layer, KvHeadId kv_head) const;

  /// Whether the two are copies of which neither was changed since.
  [[nodiscard]] bool shares_with(const SequenceRecord& other) const { return tokens_ == other.tokens_; }

  void clear();

 private:
  struct Tokens {
    std::vector<TokenFrame> frames;
    std::vector<std::vector<Role>> roles;                // [layers * kv_heads][T]
    std::vector<std::vector<std::int32_t>> next_global;  // [layers * kv_heads][T]
    std::vector<std::vector<std::int32_t>> last_query;   // [layers * kv_heads][T]
    std::vector<HeadTally> tallies;                      // [layers * kv_heads]
  };

  [[nodiscard]] std::size_t head_index(LayerId layer, KvHeadId kv_head) const;
  /// The tokens, which nobody else has from now on.
  [[nodiscard]] Tokens& own();
  void append_roles(Tokens& tokens, std::span<const TokenFrame> frames, std::size_t head) const;
  void evict(Tokens& tokens, const EvictedEntry& entry, std::int32_t step) const;

  CacheGeometry geometry_;
  bool has_scores_ = false;
  std::optional<std::int64_t> window_;
  std::shared_ptr<Tokens> tokens_;  // null: moved from, or never had a geometry
};

}  // namespace natscope
