// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "core/explore/sequence_record.h"

/// Two runs of one text side by side: what is compared, defined once.
namespace natscope {

/// A run after its first `tokens` tokens.
struct RunFigures {
  std::int64_t tokens = 0;
  std::int64_t entries = 0;   ///< held, over all layers and KV heads
  double fraction = 0;        ///< KV fraction (the rules, section 5)
  double paper_fraction = 0;  ///< the paper's
};

/// `tokens` is cut to what the record has; all zero for none.
[[nodiscard]] RunFigures run_figures(const SequenceRecord& record, std::int64_t tokens);

/// exp of the mean of −ln p over the prompt's tokens but the first: what `eval` calls perplexity, for a text of one
/// segment. Nothing where a probability is not known (a recording of an earlier version, another layer count) or there
/// is nothing to predict.
[[nodiscard]] std::optional<double> prompt_perplexity(const SequenceRecord& record, std::int64_t prompt_tokens);

/// What a run's cache held over its first `tokens` tokens and how well they were predicted: what `eval` says of a text
/// of one segment.
struct RunOutcome {
  RunFigures figures;                  ///< after the last of them
  double mean_fraction = 0;            ///< entries held over all steps, of those of full attention
  std::optional<double> perplexity{};  ///< as prompt_perplexity
  bool drops_after_reading = false;    ///< the perplexity says nothing of what is held
};

/// Whether all of the first `tokens` were read before anything was dropped, and then something was: what compresses a
/// cache behind a prompt does so. Their perplexity is then that of full attention. Cost: O(1).
[[nodiscard]] bool drops_after_reading(const SequenceRecord& record, std::int64_t tokens);

/// Cost: O(tokens).
[[nodiscard]] RunOutcome run_outcome(const SequenceRecord& record, std::int64_t tokens);

/// −ln of the probability that the model gave a token before it came, in nats. Nothing for the first token, before
/// which nothing was predicted, and where it is not known (a recording of an earlier version).
[[nodiscard]] std::optional<double> token_loss(const TokenFrame& frame);

/// How many tokens both have in common from the beginning: those whose losses compare. The first `known` are known to
/// be the same; cost: the tokens after them.
[[nodiscard]] std::int64_t common_beginning(const SequenceRecord& a, const SequenceRecord& b, std::int64_t known = 0);

/// Whether both begin with the same tokens: then their figures for a prompt of this length compare.
[[nodiscard]] bool have_same_beginning(const SequenceRecord& a, const SequenceRecord& b, std::int64_t tokens);

/// Until when the KV head that a query head reads held each of the first `tokens` tokens: what weights of another run
/// of the same tokens are compared with (AttentionSummary::lost). Valid until the next append.
[[nodiscard]] std::span<const std::int32_t> schedule_of(const SequenceRecord& run, std::int32_t heads, LayerId layer,
                                                        HeadId head, std::int64_t tokens);

/// Who holds an entry after the last token of the beginning that both runs have in common.
enum class HeldBy : std::uint8_t { neither, both, first, second };

/// (layer, KV head, token) cells by who holds them, over the tokens of their common beginning.
struct HeldDifference {
  std::int64_t tokens = 0;  ///< common_beginning
  std::int64_t both = 0;
  std::int64_t first = 0;   ///< held by the first alone
  std::int64_t second = 0;  ///< by the second alone
};

/// For one cell. `tokens`: of their common beginning.
[[nodiscard]] HeldBy held_by(const SequenceRecord& first, const SequenceRecord& second, LayerId layer, KvHeadId kv_head,
                             TokenPos position, std::int64_t tokens);
/// Nothing where the runs have other layers or KV heads. Cost: O(tokens · layers · kv_heads).
[[nodiscard]] std::optional<HeldDifference> held_difference(const SequenceRecord& first, const SequenceRecord& second);

}  // namespace natscope
