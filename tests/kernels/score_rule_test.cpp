// SPDX-License-Identifier: GPL-3.0-or-later
#include <doctest/doctest.h>

#include <vector>

#include "tests/kernels/score_rule_run.h"
#include "tests/kernels/sequence_check.h"
#include "tests/support/case_turns.h"

/// H2O and TOVA token by token, of every backend: this program's are those that sequence_backend says.
using namespace natscope;
using namespace natscope::kernels;
using namespace natscope::test;

namespace {

constexpr double score_error = 5e-4;  // sums of up to some tens, of weights that are off by the rounding of q · k

struct Heads {
  std::int64_t query;
  std::int64_t kv;
};
constexpr Heads head_layouts[] = {{1, 1}, {3, 3}, {7, 1}, {12, 4}, {34, 2}};

/// Queries of the cache's type, as an engine of that type has them.
AttentionCase make_case(RandomArrays& random, std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim,
                        std::int64_t tokens, std::int64_t window, ElementType dtype,
                        const std::vector<double>& shares = {1, 0, 0}) {
  AttentionCase c = random_case(random, heads, kv_heads, head_dim, tokens, window, dtype, shares);
  round_to(dtype, c.queries);
  return c;
}

void check_score_rule(const SequenceBackend& backend, const AttentionCase& c, const ScoreRule& rule,
                      std::int32_t page_entries) {
  CAPTURE(rule.heavy);
  CAPTURE(rule.recent);
  CAPTURE(page_entries);
  const ScoreRuleRun run = backend.score_rule(c, rule, page_entries);
  const auto follow = [&](const AttentionCase& of, auto number) {
    return follow_score_rule<decltype(number)>(of, rule, run.dropped, [](const auto&, std::int32_t) {}).attention;
  };
  check_against(c, run.attention, backend.bf16_operands, follow);

  std::int64_t choices = 0;
  const auto look = [&](const std::map<std::int32_t, double>& may_go, std::int32_t gone) {
    if (may_go.empty()) {
      CHECK(gone == no_drop);
      return;
    }
    ++choices;
    REQUIRE(may_go.contains(gone));
    for (const auto& [n, score] : may_go) CHECK(may_go.at(gone) <= score + score_error);
  };
  const auto truth = follow_score_rule<double>(c, rule, run.dropped, look);
  CHECK((choices > 0) == (rule.heavy + rule.recent < c.tokens));
  CHECK(run.held == truth.held);
  for (std::size_t head = 0; head < truth.scores.size(); ++head) {
    REQUIRE(run.scores[head].size() == truth.scores[head].size());
    for (const auto& [n, score] : truth.scores[head]) {
      REQUIRE(run.scores[head].contains(n));
      CHECK(std::abs(run.scores[head].at(n) - score) < score_error);
    }
  }
}

}  // namespace

TEST_CASE("scores, drops and attention over what stays are the rule's, for every rule") {
  RandomArrays random(91);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
      for (const std::int64_t heavy : {0, 1, 5, 33, 100}) {
        for (const std::int64_t recent : {0, 1, 8, 50}) {
          const AttentionCase c = make_case(random, 4, 2, 16, 67, 0, dtype);
          const auto page_entries = static_cast<std::int32_t>(random.between(1, 40));
          if (turns.next()) check_score_rule(backend, c, {heavy, recent}, page_entries);
        }
      }
    }
  }
}

TEST_CASE("every head layout and head size") {
  RandomArrays random(92);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const Heads heads : head_layouts) {
      for (const std::int64_t head_dim : {8, 10, 34, 64, 128, 200}) {
        for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
          CAPTURE(heads.query);
          CAPTURE(heads.kv);
          CAPTURE(head_dim);
          const AttentionCase c = make_case(random, heads.query, heads.kv, head_dim, 45, 0, dtype);
          const auto page_entries = static_cast<std::int32_t>(random.between(1, 40));
          if (turns.next()) check_score_rule(backend, c, {18, 7}, page_entries);
        }
      }
    }
  }
}

TEST_CASE("roles that were set go first, and the rule chooses among the rest") {
  RandomArrays random(93);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    for (const std::vector<double>& shares : {std::vector<double>{1, 1, 1}, {3, 1, 0}, {2, 0, 1}, {1, 9, 9}}) {
      const AttentionCase c = make_case(random, 4, 2, 16, 90, 6, ElementType::f32, shares);
      check_score_rule(backend, c, {3, 2}, 4);
    }
  }
}

TEST_CASE("under TOVA the heads of a layer decide together, by what the last query looks at") {
  RandomArrays random(95);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    CaseTurns turns;
    for (const Heads heads : head_layouts) {
      for (const std::int64_t size : {0, 1, 2, 19, 40}) {
        for (const ElementType dtype : {ElementType::f32, ElementType::bf16}) {
          CAPTURE(heads.query);
          CAPTURE(heads.kv);
          const AttentionCase c = make_case(random, heads.query, heads.kv, 16, 39, 0, dtype);
          const auto page_entries = static_cast<std::int32_t>(random.between(1, 40));
          if (!turns.next()) continue;
          const ScoreRule rule{size, 0, EntryScores::of_last_query};
          check_score_rule(backend, c, rule, page_entries);
          const ScoreRuleRun run = backend.score_rule(c, rule, page_entries);
          for (std::size_t at = 0; at < run.dropped.size(); ++at)
            CHECK(run.dropped[at] == run.dropped[at % static_cast<std::size_t>(c.tokens)]);
        }
      }
    }
    check_score_rule(backend, make_case(random, 4, 2, 16, 420, 0, ElementType::f32),
                     {301, 0, EntryScores::of_last_query}, 32);
  }
}

TEST_CASE("a cache of more than one warp's and one block's entries") {
  RandomArrays random(94);
  INFO(random.how_to_repeat());
  for (const SequenceBackend& backend : sequence_backends()) {
    CAPTURE(backend.name);
    const AttentionCase c = make_case(random, 2, 1, 16, 420, 0, ElementType::f32);
    check_score_rule(backend, c, {270, 31}, 32);
  }
}
