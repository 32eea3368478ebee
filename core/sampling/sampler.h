// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"

namespace natscope {

/// How the next token is chosen: repetition penalty, temperature, top-k, top-p, min-p, in this order. Neutral values
/// switch a step off.
struct SamplingOptions {
  bool greedy = false;       ///< the likeliest token, ties to the lowest id
  double temperature = 0.8;  ///< > 0
  std::int32_t top_k = 0;    ///< 0: all
  double top_p = 0.95;       ///< the smallest set whose probability reaches it; 1: all
  double min_p = 0;          ///< at least this share of the likeliest token's probability
  /// Logits of tokens that occurred are divided (positive) or multiplied (negative) by it.
  double repetition_penalty = 1;
  std::uint64_t seed = 0;

  friend bool operator==(const SamplingOptions&, const SamplingOptions&) = default;
};

/// Errors: usage (a value outside its range, named).
[[nodiscard]] Expected<void> check(const SamplingOptions& options);

/// Chooses tokens. The same seed, logits and history give the same tokens on every machine (own generator,
/// counter-based).
class Sampler {
 public:
  /// `first_draw`: how many draws of the seed came before, so that going on draws what one long run would have drawn.
  explicit Sampler(SamplingOptions options, std::uint64_t first_draw = 0);

  /// logits [vocab] f32, history = every token so far. The probability is the one it was drawn with, after all steps.
  /// Errors: unsupported_model (NaN among the logits, or no finite one); infinite ones are never chosen.
  [[nodiscard]] Expected<TokenCandidate> sample(std::span<const float> logits, std::span<const std::int32_t> history);

 private:
  struct Choice {
    double logit = 0;
    std::int32_t token = 0;
  };
  [[nodiscard]] std::optional<std::int32_t> plain_greedy(std::span<const float> logits);
  [[nodiscard]] bool collect_top_p(std::span<const float> logits);
  [[nodiscard]] Expected<void> collect(std::span<const float> logits, std::span<const std::int32_t> history);
  void sort_best(std::size_t count);
  void keep_top_p();

  SamplingOptions options_;
  std::uint64_t draws_ = 0;
  // Kept between calls so that a step allocates nothing.
  std::vector<Choice> choices_;  // what may be drawn; the first sorted_ stand best first
  std::size_t sorted_ = 0;
  std::vector<double> weights_;
  std::vector<float> maxima_;
  std::vector<std::uint8_t> occurred_;  // [vocab]
};

/// What is said of a row of logits, which is passed over twice for all of it together.
class LogitReading {
 public:
  /// `logits` must outlive this, and stay as they are.
  explicit LogitReading(std::span<const float> logits);

  /// log(sum(exp(logits))): the probability of token t at temperature 1 is exp(logits[t] - this).
  [[nodiscard]] double log_sum_exp() const { return log_sum_; }
  /// Errors: unsupported_model, where the logits are no distribution: one is not a number or +∞, or none is finite.
  [[nodiscard]] Expected<void> check() const;
  /// The `count` likeliest tokens of softmax(logits) at temperature 1, best first, ties to the lowest id.
  [[nodiscard]] std::vector<TokenCandidate> likeliest(std::int32_t count) const;

 private:
  [[nodiscard]] float least_of_best(std::size_t wanted) const;

  std::span<const float> logits_;
  std::vector<float> maxima_;  // of every block of logits
  double log_sum_ = 0;
};

[[nodiscard]] inline double log_sum_exp(std::span<const float> logits) { return LogitReading(logits).log_sum_exp(); }
[[nodiscard]] inline std::vector<TokenCandidate> likeliest(std::span<const float> logits, std::int32_t count) {
  return LogitReading(logits).likeliest(count);
}

}  // namespace natscope
