// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "tests/kernels/sequence_backend.h"
#include "tests/kernels/tested_cache.h"

/// How a sequence under H2O or TOVA is written down, and what the rule says of it.
namespace natscope::test {

inline ScoreRuleRun unwritten_run(const AttentionCase& c) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ScoreRuleRun run;
  run.attention.out.assign(static_cast<std::size_t>(c.heads * c.tokens * c.head_dim), nan);
  run.attention.lse.assign(static_cast<std::size_t>(c.heads * c.tokens), nan);
  run.dropped.assign(static_cast<std::size_t>(c.kv_heads * c.tokens), -7);
  run.held = run.dropped;
  run.scores.resize(static_cast<std::size_t>(c.kv_heads));
  return run;
}
inline void note_drops(const AttentionCase& c, std::int64_t token, const DropStep& step, ScoreRuleRun& run) {
  for (std::int64_t head = 0; head < c.kv_heads; ++head) {
    const auto at = static_cast<std::size_t>(head * c.tokens + token);
    run.dropped[at] = step.dropped[static_cast<std::size_t>(head)];
    run.held[at] = step.held[static_cast<std::size_t>(head)];
  }
}
inline void note_scores(const AttentionCase& c, TestedCache& cache, ScoreRuleRun& run) {
  for (std::int32_t head = 0; head < c.kv_heads; ++head) {
    const kernels::cuda::HeadEntries read = cache.read(LayerId(0), KvHeadId(head));
    for (std::size_t slot = 0; slot < read.positions.size(); ++slot)
      run.scores[static_cast<std::size_t>(head)][read.positions[slot]] = read.scores[slot];
  }
}

/// Attention and scores in `Sum` from the rules' sentences (sections 4, 5 and 11; of EntryScores), with the drops that
/// the run made: rounding may tip a choice between scores that are nearly equal. `choose(held scores of those that may
/// go, position that went)` looks at each choice, and at each token where nothing had to go.
template <class Sum>
struct ScoreRuleTruth {
  AttentionResult<Sum> attention;
  std::vector<std::map<std::int32_t, Sum>> scores;  ///< [kv_heads]: after the last token
  std::vector<std::int32_t> held;                   ///< [kv_heads, T]
};

/// Query m of one query head over what `scores` has: its output and log-sum-exp, and each entry's weight to its score.
template <class Sum>
void attend_and_score(const AttentionCase& c, std::int64_t head, std::int64_t m, AttentionResult<Sum>& attention,
                      std::map<std::int32_t, Sum>& scores) {
  const std::int64_t kv_head = head / (c.heads / c.kv_heads);
  const float* const keys = c.keys.data() + kv_head * c.tokens * c.head_dim;
  const float* const values = c.values.data() + kv_head * c.tokens * c.head_dim;
  const float* const query = c.queries.data() + (head * c.tokens + m) * c.head_dim;
  std::map<std::int32_t, Sum> weights;
  Sum largest = -std::numeric_limits<Sum>::infinity();
  for (const auto& [n, score] : scores) {
    Sum dot = 0;
    for (std::int64_t d = 0; d < c.head_dim; ++d)
      dot += static_cast<Sum>(query[d]) * static_cast<Sum>(keys[n * c.head_dim + d]);
    weights[n] = dot / std::sqrt(static_cast<Sum>(c.head_dim));
    largest = std::max(largest, weights[n]);
  }
  Sum sum = 0;
  for (auto& [n, weight] : weights) sum += weight = std::exp(weight - largest);
  attention.lse[static_cast<std::size_t>(head * c.tokens + m)] = largest + std::log(sum);
  for (const auto& [n, weight] : weights) scores[n] += weight / sum;
  for (std::int64_t d = 0; d < c.head_dim; ++d) {
    Sum total = 0;
    for (const auto& [n, weight] : weights) total += weight * static_cast<Sum>(values[n * c.head_dim + d]);
    attention.out[static_cast<std::size_t>((head * c.tokens + m) * c.head_dim + d)] = total / sum;
  }
}

template <class Sum, class Choose>
ScoreRuleTruth<Sum> follow_score_rule(const AttentionCase& c, const kernels::ScoreRule& rule,
                                      const std::vector<std::int32_t>& dropped, const Choose& choose) {
  ScoreRuleTruth<Sum> truth;
  truth.attention.out.resize(static_cast<std::size_t>(c.heads * c.tokens * c.head_dim));
  truth.attention.lse.resize(static_cast<std::size_t>(c.heads * c.tokens));
  truth.held.resize(static_cast<std::size_t>(c.kv_heads * c.tokens));
  truth.scores.resize(static_cast<std::size_t>(c.kv_heads));  // of what is held
  const std::int64_t group = c.heads / c.kv_heads;
  const bool are_shared = rule.scores == kernels::EntryScores::of_last_query;
  for (std::int64_t m = 0; m < c.tokens; ++m) {
    std::map<std::int32_t, Sum> of_layer;
    for (std::int64_t kv_head = 0; kv_head < c.kv_heads; ++kv_head) {
      std::map<std::int32_t, Sum>& scores = truth.scores[static_cast<std::size_t>(kv_head)];
      scores[static_cast<std::int32_t>(m)] = 0;
      for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
        attend_and_score(c, head, m, truth.attention, scores);
      for (const auto& [n, score] : scores) of_layer[n] += score;
    }
    for (std::int64_t kv_head = 0; kv_head < c.kv_heads; ++kv_head) {
      std::map<std::int32_t, Sum>& scores = truth.scores[static_cast<std::size_t>(kv_head)];
      if (are_shared) scores = of_layer;
      // What its role lets the next query see, then what the rule keeps of that.
      std::erase_if(scores, [&](const auto& entry) {
        return !c.sees(kv_head, m + 1, entry.first, c.latest_global(kv_head, m + 1));
      });
      std::map<std::int32_t, Sum> may_go;
      for (const auto& [n, score] : scores) {
        if (n <= m - rule.recent) may_go[n] = score;
      }
      if (static_cast<std::int64_t>(may_go.size()) <= rule.heavy) may_go.clear();
      const std::int32_t gone = dropped[static_cast<std::size_t>(kv_head * c.tokens + m)];
      choose(may_go, gone);
      scores.erase(gone);
      if (are_shared) {
        for (auto& [n, score] : scores) score = 0;
      }
      truth.held[static_cast<std::size_t>(kv_head * c.tokens + m)] = static_cast<std::int32_t>(scores.size());
    }
  }
  return truth;
}

}  // namespace natscope::test
