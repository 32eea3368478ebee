// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/explore/run_figures.h"

#include <doctest/doctest.h>

#include <cmath>

namespace natscope {
namespace {

/// One layer, one KV head; probabilities 0.5, 0.25, 0.5, …; entries as many as there are tokens.
SequenceRecord recorded(const std::string& roles, std::int64_t window, std::int32_t first_token = 0) {
  SequenceRecord record({1, 1, 8, kernels::ElementType::f32}, false, window);
  for (std::size_t n = 0; n < roles.size(); ++n) {
    TokenFrame frame;
    frame.position = TokenPos(static_cast<std::int32_t>(n));
    frame.token = first_token + static_cast<std::int32_t>(n);
    frame.roles = {roles[n] == 'G' ? Role::global : roles[n] == 'L' ? Role::local : Role::sliding};
    frame.entries = {static_cast<std::int32_t>(n) + 1};
    frame.counts =
        count_cache(record.geometry(), static_cast<std::int64_t>(n) + 1, static_cast<std::int64_t>(n) + 1, 0, {});
    frame.probability = n == 0 ? 0.0F : n % 2 == 0 ? 0.25F : 0.5F;
    REQUIRE(record.append(frame));
  }
  return record;
}

}  // namespace

TEST_CASE("figures after so many tokens, and the perplexity of a prompt") {
  const SequenceRecord run = recorded("GLLS", 1);
  CHECK(run_figures(run, 3).entries == 3);
  CHECK(run_figures(run, 3).fraction == 1);
  CHECK(run_figures(run, 99).tokens == 4);
  CHECK(run_figures(run, 0).entries == 0);
  // −ln: 0.5, 0.25, 0.5 → mean 4/3 ln 2.
  CHECK(*prompt_perplexity(run, 4) == doctest::Approx(std::pow(2.0, 4.0 / 3.0)));
  CHECK(*prompt_perplexity(run, 2) == doctest::Approx(2));
  CHECK_FALSE(prompt_perplexity(run, 1));
  CHECK(have_same_beginning(run, recorded("GGG", 0), 3));
  CHECK_FALSE(have_same_beginning(run, recorded("GGG", 0), 4));
  CHECK_FALSE(have_same_beginning(run, recorded("GGG", 0, 7), 3));
}

TEST_CASE("what a run's cache held over a prompt") {
  SequenceRecord half({1, 2, 8, kernels::ElementType::f32}, false, 1);
  for (std::int32_t n = 0; n < 3; ++n) {
    TokenFrame frame;
    frame.position = TokenPos(n);
    frame.roles = {Role::global, Role::sliding};
    frame.entries = {n + 1, 1};
    frame.counts = count_cache(half.geometry(), n + 1, n + 2, 0, {});
    frame.probability = 0.5F;
    REQUIRE(half.append(frame));
  }
  // Held 2, 3, 4 of 2, 4, 6.
  const RunOutcome outcome = run_outcome(half, 3);
  CHECK(outcome.figures.tokens == 3);
  CHECK(outcome.figures.fraction == doctest::Approx(4.0 / 6));
  CHECK(outcome.mean_fraction == doctest::Approx(9.0 / 12));
  CHECK(*outcome.perplexity == doctest::Approx(2));
  CHECK(run_outcome(half, 2).mean_fraction == doctest::Approx(5.0 / 6));
  CHECK(run_outcome(half, 99).figures.tokens == 3);
  CHECK(run_outcome(half, 0).mean_fraction == 0);
  // Dropped in front of the last token, behind it, and never.
  CHECK_FALSE(outcome.drops_after_reading);
  CHECK(run_outcome(half, 2).drops_after_reading);
  CHECK_FALSE(run_outcome(recorded("GGG", 0), 3).drops_after_reading);
}

TEST_CASE("a token's loss, and how far two runs' losses compare") {
  const SequenceRecord run = recorded("GLLS", 1);
  CHECK_FALSE(token_loss(run.frame(TokenPos(0))));
  CHECK(*token_loss(run.frame(TokenPos(1))) == doctest::Approx(std::log(2.0)));
  // What is smaller than a float can say is not what nobody knows.
  TokenFrame least;
  least.position = TokenPos(1);
  for (const double probability : {1e-60, 0.0}) {
    least.probability = as_probability(probability);
    CHECK(token_loss(least).value_or(0) == doctest::Approx(103.28).epsilon(1e-4));
  }
  CHECK(*token_loss(run.frame(TokenPos(2))) == doctest::Approx(std::log(4.0)));
  TokenFrame frame = run.frame(TokenPos(3));
  frame.probability = 0;
  CHECK_FALSE(token_loss(frame));
  // Rounded up by a hair, a certain token has no loss: not one below zero.
  frame.probability = 1.0000001F;
  CHECK(*token_loss(frame) == 0);

  CHECK(common_beginning(run, recorded("GGG", 0)) == 3);
  CHECK(common_beginning(run, recorded("GGGGGG", 0), 2) == 4);
  CHECK(common_beginning(run, recorded("GGG", 0, 7)) == 0);
  CHECK(common_beginning(run, SequenceRecord(), 3) == 0);
  // The same ids of another tokenizer are other tokens.
  SequenceRecord other = recorded("GL", 1);
  frame = run.frame(TokenPos(2));
  frame.text = "other";
  REQUIRE(other.append(frame));
  CHECK(common_beginning(run, other) == 2);
}

TEST_CASE("who holds an entry after the last token that both have") {
  // After token 3: GLLG holds 0, 3; GSSSS with window 2 holds 0, 2, 3 (2 + 2 >= 4).
  const SequenceRecord first = recorded("GLLG", 2);
  const SequenceRecord second = recorded("GSSSS", 2);
  const auto by = [&](std::int32_t n) { return held_by(first, second, LayerId(0), KvHeadId(0), TokenPos(n), 4); };
  CHECK(by(0) == HeldBy::both);
  CHECK(by(1) == HeldBy::neither);
  CHECK(by(2) == HeldBy::second);
  CHECK(by(3) == HeldBy::both);
  const auto difference = held_difference(first, second);
  REQUIRE(difference);
  CHECK(difference->tokens == 4);
  CHECK(difference->both == 2);
  CHECK(difference->first == 0);
  CHECK(difference->second == 1);
  // Behind the token in which two texts part nothing compares.
  SequenceRecord parting = recorded("GS", 2);
  for (std::int32_t n = 2; n < 4; ++n) {
    TokenFrame frame = first.frame(TokenPos(n));
    ++frame.token;
    REQUIRE(parting.append(frame));
  }
  const auto of_both = held_difference(first, parting);
  REQUIRE(of_both);
  CHECK(of_both->tokens == 2);
  CHECK(of_both->both == 2);
  CHECK_FALSE(held_difference(first, SequenceRecord({2, 1, 8, kernels::ElementType::f32}, false, 2)));
}

}  // namespace natscope
