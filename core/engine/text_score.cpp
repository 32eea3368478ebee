// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/engine/text_score.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "core/engine/engine.h"
#include "core/row_math/row_math.h"

namespace natscope {
namespace {

/// Negative log-likelihood of `token` under softmax(logits).
PredictedToken predicted(std::span<const float> logits, TokenPos position, std::int32_t token) {
  const auto size = static_cast<std::int64_t>(logits.size());
  const float highest = row_math::maximum(logits.data(), size);
  const float own = logits[static_cast<std::size_t>(token)];
  const double sum = row_math::exp_sum(logits.data(), size, static_cast<double>(highest), 1.0);
  return {position, highest + std::log(sum) - own, own == highest};
}

void count_segment(const Engine& engine, TextScore& score) {
  const SequenceRecord& record = engine.record();
  const CacheGeometry& geometry = record.geometry();
  const TokenFrame& last = record.frames().back();
  score.fraction += last.counts.fraction;
  score.paper_fraction += last.counts.paper_fraction;
  ++score.segments;
  for (const TokenFrame& frame : record.frames()) {
    for (const Role role : frame.roles) ++score.roles[static_cast<std::size_t>(role)];
    score.held += frame.counts.entries;
    score.dense += frame.counts.tokens * geometry.layers * geometry.kv_heads;
  }
  score.layer_fraction.resize(static_cast<std::size_t>(geometry.layers));
  for (std::int32_t layer = 0; layer < geometry.layers; ++layer) {
    std::int64_t held = 0;
    for (std::int32_t head = 0; head < geometry.kv_heads; ++head) {
      held += last.entries[static_cast<std::size_t>(layer * geometry.kv_heads + head)];
    }
    score.layer_fraction[static_cast<std::size_t>(layer)] +=
        static_cast<double>(held) / static_cast<double>(record.size() * geometry.kv_heads);
  }
}

/// Of Σ nll / Σ predicted over segments: the standard error of a ratio of sums (the delta method).
std::optional<double> standard_error(std::span<const SegmentLoss> segments) {
  if (segments.size() < 2) return std::nullopt;
  SegmentLoss all;
  for (const SegmentLoss& segment : segments) {
    all.nll += segment.nll;
    all.predicted += segment.predicted;
  }
  const double mean = all.nll / static_cast<double>(all.predicted);
  double squares = 0;
  for (const SegmentLoss& segment : segments) {
    const double rest = segment.nll - mean * static_cast<double>(segment.predicted);
    squares += rest * rest;
  }
  const auto count = static_cast<double>(segments.size());
  return std::sqrt(count / (count - 1) * squares) / static_cast<double>(all.predicted);
}

}  // namespace

double TextScore::perplexity() const { return std::exp(mean_nll()); }

std::optional<double> TextScore::nll_standard_error() const { return standard_error(losses); }

std::optional<double> nll_difference_standard_error(const TextScore& a, const TextScore& b) {
  if (a.losses.size() != b.losses.size()) return std::nullopt;
  std::vector<SegmentLoss> differences = a.losses;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    if (a.losses[i].predicted != b.losses[i].predicted) return std::nullopt;
    differences[i].nll -= b.losses[i].nll;
  }
  return standard_error(differences);
}

double TextScore::role_share(Role role) const {
  const double all = static_cast<double>(std::accumulate(roles.begin(), roles.end(), std::int64_t{0}));
  return static_cast<double>(roles[static_cast<std::size_t>(role)]) / all;
}

Expected<void> score_segment(Engine& engine, std::span<const std::int32_t> tokens, const ScoreOptions& options,
                             TextScore& score, std::stop_token stop) {
  NATSCOPE_CHECK(engine.start(options.plan));
  const auto vocab = static_cast<std::size_t>(engine.config().vocab);
  SegmentLoss loss;
  const auto predict = [&](std::span<const float> logits, std::int64_t next) {
    const auto token =
        predicted(logits, TokenPos(static_cast<std::int32_t>(next)), tokens[static_cast<std::size_t>(next)]);
    loss.nll += token.nll;
    ++loss.predicted;
    if (options.on_token) options.on_token(token);
  };
  PrefillOptions prefill;
  prefill.chunk = options.chunk;
  if (options.prompt_tokens > 0) {
    NATSCOPE_CHECK(engine.prefill(tokens.first(static_cast<std::size_t>(options.prompt_tokens)), prefill, stop));
    predict(engine.logits(), options.prompt_tokens);
  }
  prefill.on_logits = [&](TokenPos first, std::int64_t n, std::span<const float> logits) -> Expected<void> {
    for (std::int64_t row = 0; row < n; ++row) {
      const std::int64_t next = first.value + row + 1;
      if (next >= static_cast<std::int64_t>(tokens.size())) break;
      predict(logits.subspan(static_cast<std::size_t>(row) * vocab, vocab), next);
    }
    return {};
  };
  NATSCOPE_CHECK(
      engine.prefill(tokens.subspan(static_cast<std::size_t>(options.prompt_tokens)), prefill, std::move(stop)));
  score.nll += loss.nll;
  score.predicted += loss.predicted;
  score.losses.push_back(loss);
  count_segment(engine, score);
  return {};
}

}  // namespace natscope
