// SPDX-License-Identifier: GPL-3.0-or-later
/// How well a model predicts a text under a cache plan, and what its cache holds: the numbers of `eval`.
///
///     TextScore score;
///     for (const auto segment : segments) NATSCOPE_CHECK(score_segment(*engine, segment, options, score, stop));
///     score.perplexity(); score.kv_fraction();
///
/// A segment begins with a fresh cache; all its tokens but the first are predicted. Or it begins with a prompt, which
/// is read and not scored, and behind which what drops there drops. Source: the rules, sections 5, 8 and 11.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "kernels/token_roles.h"

namespace natscope {

class Engine;

/// What one segment adds.
struct SegmentLoss {
  double nll = 0;  ///< summed, natural logarithm
  std::int64_t predicted = 0;
};

/// Sums over segments. The means are of at least one segment.
struct TextScore {
  double nll = 0;              ///< summed, natural logarithm
  std::int64_t predicted = 0;  ///< tokens
  std::int64_t segments = 0;
  double fraction = 0;        ///< KV fraction at each segment's last token, summed
  double paper_fraction = 0;  ///< the paper's, likewise
  std::int64_t held = 0;      ///< entries after each step, summed over all steps of all segments
  std::int64_t dense = 0;     ///< those of full attention, likewise
  std::array<std::int64_t, role_count> roles{};
  std::vector<double> layer_fraction;  ///< [layers], summed
  std::vector<SegmentLoss> losses;     ///< [segments]

  [[nodiscard]] double mean_nll() const { return nll / static_cast<double>(predicted); }
  [[nodiscard]] double perplexity() const;
  /// Of mean_nll(), as if segments were drawn at random and independently from a larger text. Nothing for one segment.
  [[nodiscard]] std::optional<double> nll_standard_error() const;
  [[nodiscard]] double kv_fraction() const { return fraction / static_cast<double>(segments); }
  [[nodiscard]] double paper_kv_fraction() const { return paper_fraction / static_cast<double>(segments); }
  /// What the cache held on average while the text was read: entries over full attention's, each summed over all steps.
  [[nodiscard]] double mean_kv_fraction() const { return static_cast<double>(held) / static_cast<double>(dense); }
  [[nodiscard]] double role_share(Role role) const;
};

/// Of the difference of both means, segment by segment: two policies' losses of one text rise and fall together, so
/// that their difference is known far better than either. Nothing for one segment, or where segments differ.
[[nodiscard]] std::optional<double> nll_difference_standard_error(const TextScore& a, const TextScore& b);

/// One predicted token.
struct PredictedToken {
  TokenPos position;          ///< of the token, from 1, or from the prompt's end
  double nll = 0;             ///< natural logarithm
  bool is_likeliest = false;  ///< no other token has a higher logit
};

struct ScoreOptions {
  RolePlan plan{};
  std::int64_t chunk = 512;  ///< tokens a pass
  /// The first so many are a segment's prompt, and only those behind it are predicted; 0: there is none.
  std::int64_t prompt_tokens = 0;
  std::function<void(const PredictedToken&)> on_token{};  ///< in order; may be empty
};

/// Adds one segment to `score`, longer than its prompt. Fractions are of all its tokens: `fraction` after the last one,
/// held and dense from the first one on. Errors: as Engine::start and Engine::prefill.
[[nodiscard]] Expected<void> score_segment(Engine& engine, std::span<const std::int32_t> tokens,
                                           const ScoreOptions& options, TextScore& score, std::stop_token stop);

}  // namespace natscope
