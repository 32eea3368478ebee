// SPDX-License-Identifier: GPL-3.0-or-later
/// Which tokens of the vocabulary the heads keep: a text's tokens counted by what they are instead of where they stand.
///
///     VocabularyCount count;
///     for (each text) count.add(record);          // all heads; or begin(), and add_head() for those that matter
///     for (const VocabularyItem& item : count.items()) item.role_share(Role::global);
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/explore/sequence_record.h"

namespace natscope {

/// What became of one token of the vocabulary wherever it occurred. A *cell* is one occurrence in one (layer, KV head)
/// that was counted.
struct VocabularyItem {
  std::int32_t token = 0;
  std::string text;  ///< its longest text (at a text's start its leading blank is missing); empty: it never had one
  std::int64_t occurrences = 0;
  std::array<std::int64_t, role_count> role_cells{};  ///< cells of each role
  std::int64_t held_cells = 0;                        ///< that are held after the text's last token
  /// Sum over cells of min(last query that sees it, T − 1) − n: how many later tokens each could be seen by so far. One
  /// that is still held counts with its age, so the mean is a lower bound while held_cells > 0.
  std::int64_t life_tokens = 0;
  /// Sum over all steps of the cells of each role that are held after the step.
  std::array<std::int64_t, role_count> role_steps{};
  double loss = 0;             ///< summed over the occurrences of which it is known, in nats
  std::int64_t predicted = 0;  ///< those occurrences

  [[nodiscard]] std::int64_t cells() const;
  [[nodiscard]] std::int64_t held_steps() const;          ///< of all roles
  [[nodiscard]] double role_share(Role role) const;       ///< 0 … 1 of its cells; 0 without cells
  [[nodiscard]] double held_share() const;                ///< likewise
  [[nodiscard]] double mean_life() const;                 ///< in later tokens; 0 without cells
  [[nodiscard]] std::optional<double> mean_loss() const;  ///< nothing where none is known

  friend bool operator==(const VocabularyItem&, const VocabularyItem&) = default;
};

/// Sums over texts. Each text counts as it is after its last token.
class VocabularyCount {
 public:
  /// Begins a text, the first `tokens` of a record (all that it has, where it has fewer): what they are, their losses.
  /// Cost: O(tokens).
  void begin(const SequenceRecord& record, std::int64_t tokens);
  /// What one head did with the text that was begun. The record may have become longer since; what came later does not
  /// count. Cost: O(tokens).
  void add_head(const SequenceRecord& record, LayerId layer, KvHeadId kv_head);
  /// A whole text and all its heads. Cost: O(tokens · layers · kv_heads).
  void add(const SequenceRecord& record);

  /// Those that occurred, in the order in which they came first.
  [[nodiscard]] const std::vector<VocabularyItem>& items() const { return items_; }
  /// Those first that took most of the cache.
  [[nodiscard]] std::vector<VocabularyItem> ranked() const;
  /// held_steps of all items: entries held after each step, summed over steps and the heads that were counted.
  [[nodiscard]] std::int64_t held_steps() const { return held_steps_; }

 private:
  std::vector<VocabularyItem> items_;
  std::unordered_map<std::int32_t, std::size_t> index_;  // of a token in items_
  std::vector<std::size_t> text_;                        // the present text, as indices
  std::int64_t held_steps_ = 0;
};

}  // namespace natscope
