// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sampling/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include "core/sampling/philox.h"

namespace natscope {
namespace {

SamplingOptions neutral() {
  SamplingOptions options;
  options.temperature = 1;
  options.top_p = 1;
  return options;
}

/// How often each token comes in `draws` draws.
std::map<std::int32_t, double> shares(const SamplingOptions& options, const std::vector<float>& logits,
                                      const std::vector<std::int32_t>& history = {}, int draws = 20000) {
  Sampler sampler(options);
  std::map<std::int32_t, double> counts;
  for (int n = 0; n < draws; ++n) {
    const auto token = sampler.sample(logits, history);
    REQUIRE(token);
    counts[token->token] += 1.0 / draws;
  }
  return counts;
}

const std::vector<float> logits_of_shares = {std::log(0.5F), std::log(0.1F), std::log(0.25F), std::log(0.15F)};

TEST_CASE("the generator gives the numbers of its paper") {
  // Known answers of Random123 (kat_vectors, philox4x32 10).
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) ==
        std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("neutral options draw from the softmax") {
  const auto found = shares(neutral(), logits_of_shares);
  const double expected[] = {0.5, 0.1, 0.25, 0.15};
  for (std::int32_t token = 0; token < 4; ++token) CHECK(std::abs(found.at(token) - expected[token]) < 0.015);
}

TEST_CASE("temperature, top-k, top-p and min-p cut in this order") {
  SamplingOptions options = neutral();
  options.temperature = 0.5;  // shares become .25 .01 .0625 .0225, over their sum
  const auto cold = shares(options, logits_of_shares);
  CHECK(std::abs(cold.at(0) - 0.25 / 0.345) < 0.015);

  options = neutral();
  options.top_k = 2;
  const auto two = shares(options, logits_of_shares);
  CHECK(two.size() == 2);
  CHECK(std::abs(two.at(0) - 0.5 / 0.75) < 0.015);

  options = neutral();
  options.top_p = 0.75;  // the smallest set that reaches it: .5 + .25
  CHECK(shares(options, logits_of_shares).size() == 2);
  options.top_p = 0.76;
  CHECK(shares(options, logits_of_shares).size() == 3);
  options.top_k = 2;  // of the two that top-k leaves, .667 and .333
  options.top_p = 0.6;
  CHECK(shares(options, logits_of_shares).size() == 1);

  options = neutral();
  options.min_p = 0.29;  // of .5: .145
  CHECK(shares(options, logits_of_shares).size() == 3);
  options.min_p = 1;
  CHECK(shares(options, logits_of_shares).size() == 1);
}

TEST_CASE("the repetition penalty divides positive and multiplies negative logits of what occurred") {
  SamplingOptions options = neutral();
  options.greedy = true;
  options.repetition_penalty = 2;
  Sampler sampler(options);
  const std::vector<float> logits = {4, 3, -1, 2.5};
  CHECK(sampler.sample(logits, std::vector<std::int32_t>{})->token == 0);
  CHECK(sampler.sample(logits, std::vector<std::int32_t>{0})->token == 1);
  CHECK(sampler.sample(logits, std::vector<std::int32_t>{0, 0, 1, 1})->token == 3);
  const std::vector<float> negative = {-3, -2};
  CHECK(sampler.sample(negative, std::vector<std::int32_t>{1})->token == 0);
}

TEST_CASE("greedy takes the lowest id of equals; top-k does too") {
  SamplingOptions options = neutral();
  options.greedy = true;
  CHECK(Sampler(options).sample(std::vector<float>{1, 5, 5, 5}, {})->token == 1);
  options.greedy = false;
  options.top_k = 2;
  for (const auto& [token, share] : shares(options, {1, 5, 5, 5})) CHECK(token < 3);
}

TEST_CASE("a large vocabulary is cut exactly") {
  std::vector<float> logits(50257);
  for (std::size_t n = 0; n < logits.size(); ++n) logits[n] = static_cast<float>((n * 7919) % logits.size()) * 1e-4F;
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit));
  SamplingOptions options = neutral();
  options.top_p = 0.5;
  // By hand: the best in descending order until half of the probability is reached.
  std::vector<float> sorted = logits;
  std::ranges::sort(sorted, std::greater());
  double reached = 0;
  std::size_t last = 0;
  while (reached < 0.5 * total) reached += std::exp(static_cast<double>(sorted[last++]));
  Sampler sampler(options);
  for (int n = 0; n < 200; ++n) {
    const auto token = sampler.sample(logits, {});
    REQUIRE(token);
    CHECK(logits[static_cast<std::size_t>(token->token)] >= sorted[last - 1]);
  }
}

TEST_CASE("the same seed gives the same tokens, another one others") {
  SamplingOptions options = neutral();
  const std::vector<float> flat(1000, 0.0F);
  const auto draw = [&](std::uint64_t seed) {
    options.seed = seed;
    Sampler sampler(options);
    std::vector<std::int32_t> tokens;
    for (int n = 0; n < 20; ++n) tokens.push_back(sampler.sample(flat, {})->token);
    return tokens;
  };
  CHECK(draw(7) == draw(7));
  CHECK(draw(7) != draw(8));
}

TEST_CASE("numbers that are none are refused, infinite ones never chosen") {
  const float infinity = std::numeric_limits<float>::infinity();
  Sampler sampler(neutral());
  CHECK(sampler.sample(std::vector<float>{1, NAN}, {}).error().code == ErrorCode::unsupported_model);
  CHECK(sampler.sample(std::vector<float>{-infinity, -infinity}, {}).error().code == ErrorCode::unsupported_model);
  CHECK(sampler.sample(std::vector<float>{-infinity, infinity, 0}, {})->token == 2);
}

TEST_CASE("values outside their range are refused by name") {
  const auto refused = [](auto change) {
    SamplingOptions options;
    change(options);
    const auto checked = check(options);
    return !checked && checked.error().code == ErrorCode::usage;
  };
  CHECK(check(SamplingOptions{}));
  CHECK(refused([](SamplingOptions& o) { o.temperature = 0; }));
  CHECK(refused([](SamplingOptions& o) { o.temperature = NAN; }));
  CHECK(refused([](SamplingOptions& o) { o.top_k = -1; }));
  CHECK(refused([](SamplingOptions& o) { o.top_p = 0; }));
  CHECK(refused([](SamplingOptions& o) { o.top_p = 1.01; }));
  CHECK(refused([](SamplingOptions& o) { o.min_p = -0.1; }));
  CHECK(refused([](SamplingOptions& o) { o.repetition_penalty = 0; }));
}

/// Ids by logit, best first, ties to the lowest id.
std::vector<std::int32_t> ranked(const std::vector<float>& logits) {
  std::vector<std::int32_t> ids(logits.size());
  for (std::size_t id = 0; id < ids.size(); ++id) ids[id] = static_cast<std::int32_t>(id);
  std::ranges::stable_sort(ids, std::greater<>(),
                           [&](std::int32_t id) { return logits[static_cast<std::size_t>(id)]; });
  return ids;
}

TEST_CASE("the likeliest of large vocabularies are those of a whole sort, ties and all") {
  std::mt19937 random(12);
  for (const std::size_t vocab : {1, 7, 255, 256, 257, 2048, 2049, 50257}) {
    for (const unsigned values : {2U, 50U, 1000000U}) {  // few values: ties everywhere
      CAPTURE(vocab);
      CAPTURE(values);
      std::vector<float> logits(vocab);
      for (float& logit : logits) logit = static_cast<float>(random() % values) * 1e-5F - 3;
      if (values == 50 && vocab > 1) logits[vocab / 2] = -std::numeric_limits<float>::infinity();
      const std::vector<std::int32_t> ids = ranked(logits);
      const double log_sum = log_sum_exp(logits);
      for (const std::int32_t count : {1, 8, 200, 300}) {
        const auto best = likeliest(logits, count);
        REQUIRE(best.size() == std::min(vocab, static_cast<std::size_t>(count)));
        for (std::size_t n = 0; n < best.size(); ++n) {
          REQUIRE(best[n].token == ids[n]);
          const float logit = logits[static_cast<std::size_t>(ids[n])];
          REQUIRE(best[n].probability == static_cast<float>(std::exp(static_cast<double>(logit) - log_sum)));
        }
      }
      SamplingOptions greedy;
      greedy.greedy = true;
      CHECK(Sampler(greedy).sample(logits, {})->token == ids.front());
    }
  }
}

TEST_CASE("tokens that hardly ever come are left out of top-p without changing a draw") {
  std::mt19937 random(31);
  std::normal_distribution<float> normal;
  for (const float spread : {0.0F, 0.3F, 1.0F, 4.0F, 40.0F, 1e4F}) {
    for (const double top_p : {1e-3, 0.5, 0.95, 0.99999, 1 - 1e-12}) {
      CAPTURE(spread);
      CAPTURE(top_p);
      SamplingOptions options;
      options.top_p = top_p;
      options.temperature = spread == 1.0F ? 0.3 : 0.8;
      options.min_p = spread == 4.0F ? 0.01 : 0;
      options.seed = 5;
      SamplingOptions whole = options;
      whole.repetition_penalty = 2;  // of nothing that occurred: the same numbers, but every logit is looked at
      Sampler sampler(options);
      Sampler truth(whole);
      for (int n = 0; n < 4; ++n) {
        std::vector<float> logits(5003);
        for (float& logit : logits) logit = spread * normal(random) + 7;
        if (n == 1) logits[100] = std::numeric_limits<float>::infinity();
        if (n == 2) std::fill_n(logits.begin(), 4000, -std::numeric_limits<float>::infinity());
        const TokenCandidate expected = truth.sample(logits, {}).value();
        const TokenCandidate found = sampler.sample(logits, {}).value();
        CHECK(found.token == expected.token);
        CHECK(found.probability == expected.probability);
      }
    }
  }
}

TEST_CASE("greedy looks at every logit, too") {
  SamplingOptions greedy;
  greedy.greedy = true;
  std::vector<float> logits(1000, 0.25F);
  logits[700] = 3;
  CHECK(Sampler(greedy).sample(logits, {})->token == 700);
  logits[600] = std::numeric_limits<float>::infinity();
  CHECK(Sampler(greedy).sample(logits, {})->token == 700);
  logits[600] = -std::numeric_limits<float>::infinity();
  CHECK(Sampler(greedy).sample(logits, {})->token == 700);
  logits[900] = std::numeric_limits<float>::quiet_NaN();
  const auto refused = Sampler(greedy).sample(logits, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("token 900") != std::string::npos);
  CHECK_FALSE(Sampler(greedy).sample(std::vector<float>(300, -std::numeric_limits<float>::infinity()), {}));
  greedy.repetition_penalty = 100;
  logits[900] = 0;
  CHECK(Sampler(greedy).sample(logits, std::vector<std::int32_t>{700})->token == 0);
}

TEST_CASE("logits that are no distribution are told from those that are") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{31}, std::size_t{1000}, std::size_t{5003}}) {
    CAPTURE(size);
    std::vector<float> logits(size, 0.25F);
    CHECK(LogitReading(logits).check());
    const float infinite = std::numeric_limits<float>::infinity();
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
      CAPTURE(at);
      for (const float broken :
           {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(), infinite}) {
        logits[at] = broken;
        const auto checked = LogitReading(logits).check();
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == ErrorCode::unsupported_model);
      }
      logits[at] = 0.25F;
    }
    if (size == 1) continue;
    logits[0] = -infinite;
    CHECK(LogitReading(logits).check());
  }
}

TEST_CASE("the likeliest tokens, best first, with their probabilities") {
  const auto best = likeliest(logits_of_shares, 3);
  REQUIRE(best.size() == 3);
  CHECK(best[0].token == 0);
  CHECK(best[1].token == 2);
  CHECK(best[2].token == 3);
  CHECK(best[1].probability == doctest::Approx(0.25).epsilon(1e-5));
  CHECK(likeliest(logits_of_shares, 99).size() == 4);
  CHECK(likeliest(logits_of_shares, 0).empty());
}

}  // namespace
}  // namespace natscope
