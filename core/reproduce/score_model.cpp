// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reproduce/score_model.h"

#include <algorithm>

#include "core/engine/engine.h"
#include "core/engine/text_score.h"

namespace natscope::reproduce {
namespace {

/// Bins of the distance, in tokens: up to 64, then twice as wide each, as far as a segment goes.
std::vector<AnswersAtDistance> distance_bins(std::int64_t context) {
  std::vector<AnswersAtDistance> bins{{0, 64, 0, 0, 0}};
  while (bins.back().until < context) bins.push_back({bins.back().until, 2 * bins.back().until, 0, 0, 0});
  return bins;
}

AnswersAtDistance& bin_of(std::vector<AnswersAtDistance>& bins, std::int64_t distance) {
  return *std::find_if(bins.begin(), bins.end(), [distance](const auto& bin) { return distance < bin.until; });
}

}  // namespace

Expected<StudyRow> score_model(Engine& engine, std::span<const ScoredSegment> segments, const Policy& policy,
                               const StopToken& stop) {
  const bool has_answers =
      std::any_of(segments.begin(), segments.end(), [](const ScoredSegment& s) { return !s.answers.empty(); });
  std::vector<AnswersAtDistance> bins =
      has_answers ? distance_bins(engine.config().context) : std::vector<AnswersAtDistance>();
  TextScore score;
  ScoreOptions options;
  options.plan.policy = policy;
  std::vector<PredictedToken> predicted;
  if (has_answers) options.on_token = [&predicted](const PredictedToken& token) { predicted.push_back(token); };
  for (const ScoredSegment& segment : segments) {
    predicted.clear();
    NATSCOPE_CHECK(score_segment(engine, segment.tokens, options, score, stop));
    for (const TokenAnswer& answer : segment.answers) {
      AnswersAtDistance& bin = bin_of(bins, answer.begin - answer.told);
      bool right = true;
      for (std::int64_t n = answer.begin; n < answer.end; ++n) {
        // The first prediction is of position 1.
        const PredictedToken& token = predicted[static_cast<std::size_t>(n - 1)];
        right = right && token.is_likeliest;
        bin.nll += token.nll;
      }
      ++bin.answers;
      bin.right += right ? 1 : 0;
    }
  }
  StudyRow row;
  row.policy = to_string(policy);
  row.perplexity = score.perplexity();
  row.kv_fraction = score.kv_fraction();
  row.paper_kv_fraction = score.paper_kv_fraction();
  row.tokens = score.predicted;
  if (has_roles(policy)) {
    row.global_share = score.role_share(Role::global);
    row.local_share = score.role_share(Role::local);
  }
  row.answers = std::move(bins);
  return row;
}

}  // namespace natscope::reproduce
