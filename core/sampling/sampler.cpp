// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/sampling/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "core/base/hints.h"
#include "core/row_math/row_math.h"
#include "core/sampling/philox.h"

namespace natscope {

namespace {

constexpr std::size_t block_size = 256;

void read_maxima(std::span<const float> logits, std::vector<float>& maxima) {
  maxima.resize((logits.size() + block_size - 1) / block_size);
  row_math::block_maxima(logits.data(), static_cast<std::int64_t>(logits.size()), block_size, maxima.data());
}

Expected<void> require(bool holds, const char* what, double value) {
  if (holds) return {};
  std::array<char, 32> given{};
  std::snprintf(given.data(), given.size(), "%.6g", value);
  return fail(ErrorCode::usage, std::string(what) + ", not " + given.data());
}

}  // namespace

Expected<void> check(const SamplingOptions& options) {
  NATSCOPE_CHECK(require(options.greedy || (options.temperature > 0 && std::isfinite(options.temperature)),
                         "the temperature must be above 0 (for the likeliest token take greedy)", options.temperature));
  NATSCOPE_CHECK(require(options.top_k >= 0, "top-k must be 0 (all) or more", options.top_k));
  NATSCOPE_CHECK(
      require(options.top_p > 0 && options.top_p <= 1, "top-p must be above 0 and at most 1", options.top_p));
  NATSCOPE_CHECK(require(options.min_p >= 0 && options.min_p <= 1, "min-p must be from 0 to 1", options.min_p));
  NATSCOPE_CHECK(require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
                         "the repetition penalty must be above 0", options.repetition_penalty));
  return {};
}

Sampler::Sampler(SamplingOptions options, std::uint64_t first_draw) : options_(options), draws_(first_draw) {}

/// The likeliest token where nothing has to be said of any other; nothing where collect() has to look at them.
std::optional<std::int32_t> Sampler::plain_greedy(std::span<const float> logits) {
  if (!options_.greedy || options_.repetition_penalty != 1) return {};
  read_maxima(logits, maxima_);
  const auto block = std::ranges::max_element(maxima_);
  if (block == maxima_.end() || !std::isfinite(*block)) return {};
  if (row_math::has_nan(logits.data(), static_cast<std::int64_t>(logits.size()))) return {};
  const auto first = static_cast<std::size_t>(block - maxima_.begin()) * block_size;
  return static_cast<std::int32_t>(std::ranges::find(logits.subspan(first), *block) - logits.begin());
}

/// What collect() and keep_top_p() would leave, without a look at tokens that hardly ever come: their share of the
/// whole is a sum that is known to 1e-12. False where that could decide otherwise, or other steps want to see them.
bool Sampler::collect_top_p(std::span<const float> logits) {
  constexpr double reach = 12;         // tokens e^12 times less likely than the likeliest are not looked at
  constexpr double too_close = 1e-10;  // of the whole
  if (options_.greedy || options_.repetition_penalty != 1 || options_.top_k > 0 || options_.top_p >= 1) return false;
  read_maxima(logits, maxima_);
  const auto size = static_cast<std::int64_t>(logits.size());
  const double largest =
      static_cast<double>(row_math::maximum(maxima_.data(), static_cast<std::int64_t>(maxima_.size())));
  if (!std::isfinite(largest) || row_math::has_nan(logits.data(), size)) return false;
  const double total = row_math::exp_sum(logits.data(), size, largest, 1 / options_.temperature);
  const double least = largest - reach * options_.temperature;
  choices_.clear();
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (static_cast<double>(maxima_[block]) < least) continue;
    const std::size_t last = std::min(logits.size(), (block + 1) * block_size);
    for (std::size_t token = block * block_size; token < last; ++token) {
      const double logit = static_cast<double>(logits[token]);
      if (logit >= least) choices_.push_back({logit, static_cast<std::int32_t>(token)});
    }
  }
  sorted_ = 0;
  double reached = 0;
  for (std::size_t n = 0; n < choices_.size(); ++n) {
    if (n == sorted_) sort_best(std::max<std::size_t>(64, 8 * sorted_));
    reached += std::exp((choices_[n].logit - choices_[0].logit) / options_.temperature);
    if (std::abs(reached - options_.top_p * total) <= too_close * total) return false;
    if (reached < options_.top_p * total) continue;
    choices_.resize(n + 1);
    return true;
  }
  return false;
}

/// All finite logits, after the repetition penalty.
Expected<void> Sampler::collect(std::span<const float> logits, std::span<const std::int32_t> history) {
  const bool penalised = options_.repetition_penalty != 1;
  if (penalised) {
    occurred_.assign(logits.size(), 0);
    for (const std::int32_t token : history) {
      if (token >= 0 && static_cast<std::size_t>(token) < logits.size()) occurred_[static_cast<std::size_t>(token)] = 1;
    }
  }
  choices_.clear();
  sorted_ = 0;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    double logit = logits[token];
    if (std::isnan(logit))
      return fail(ErrorCode::unsupported_model,
                  "the model's output is not a number (token " + std::to_string(token) + ")", broken_weights);
    if (std::isinf(logit)) continue;
    if (penalised && occurred_[token] != 0) {
      logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    }
    choices_.push_back({logit, static_cast<std::int32_t>(token)});
  }
  if (choices_.empty())
    return fail(ErrorCode::unsupported_model, "the model's output holds no finite number", broken_weights);
  return {};
}

/// Brings the `count` best choices to the front, best first, ties to the lowest id.
void Sampler::sort_best(std::size_t count) {
  count = std::min(count, choices_.size());
  if (count <= sorted_) return;
  const auto better = [](const Choice& a, const Choice& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  const auto first = choices_.begin() + static_cast<std::ptrdiff_t>(sorted_);
  const auto last = choices_.begin() + static_cast<std::ptrdiff_t>(count);
  if (count < 2) {
    std::partial_sort(first, last, choices_.end(), better);
  } else {  // of many this is the faster way to the same
    std::nth_element(first, last, choices_.end(), better);
    std::sort(first, last, better);
  }
  sorted_ = count;
}

/// Cuts the choices to the smallest set of the best whose probability reaches top-p. Sorts in growing steps: the set is
/// small nearly always, the vocabulary is not.
void Sampler::keep_top_p() {
  double total = 0;
  for (const Choice& choice : choices_) total += std::exp((choice.logit - choices_[0].logit) / options_.temperature);
  double reached = 0;
  for (std::size_t n = 0; n < choices_.size(); ++n) {
    if (n == sorted_) sort_best(std::max<std::size_t>(64, 8 * sorted_));
    reached += std::exp((choices_[n].logit - choices_[0].logit) / options_.temperature);
    if (reached >= options_.top_p * total) {
      choices_.resize(n + 1);
      return;
    }
  }
}

Expected<TokenCandidate> Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> history) {
  if (const std::optional<std::int32_t> token = plain_greedy(logits)) return TokenCandidate{*token, 1};
  if (!collect_top_p(logits)) {
    NATSCOPE_CHECK(collect(logits, history));
    sort_best(1);
    if (options_.greedy) return TokenCandidate{choices_[0].token, 1};
    if (options_.top_k > 0 && static_cast<std::size_t>(options_.top_k) < choices_.size()) {
      sort_best(static_cast<std::size_t>(options_.top_k));
      choices_.resize(sorted_);
    }
    if (options_.top_p < 1) keep_top_p();
  }

  weights_.clear();
  double total = 0;
  for (const Choice& choice : choices_) {
    double weight = std::exp((choice.logit - choices_[0].logit) / options_.temperature);
    if (weight < options_.min_p) weight = 0;
    weights_.push_back(weight);
    total += weight;
  }
  const double drawn = philox_uniform(options_.seed, draws_++) * total;
  double reached = 0;
  std::size_t chosen = 0;
  for (std::size_t n = 0; n < weights_.size(); ++n) {
    if (weights_[n] == 0) continue;
    chosen = n;  // rounding of the sum may leave the last one to be taken
    reached += weights_[n];
    if (reached > drawn) break;
  }
  return TokenCandidate{choices_[chosen].token, static_cast<float>(weights_[chosen] / total)};
}

LogitReading::LogitReading(std::span<const float> logits) : logits_(logits) {
  read_maxima(logits, maxima_);
  const float largest = row_math::maximum(maxima_.data(), static_cast<std::int64_t>(maxima_.size()));
  log_sum_ = largest + std::log(row_math::exp_sum(logits.data(), static_cast<std::int64_t>(logits.size()), largest));
}

/// A logit that at least `wanted` tokens reach: no block below it holds one of the best. As many blocks as tokens are
/// wanted hold as many.
float LogitReading::least_of_best(std::size_t wanted) const {
  constexpr float none = -std::numeric_limits<float>::infinity();
  if (wanted > maxima_.size() || std::isnan(log_sum_)) return none;
  std::vector<float> best(wanted, none);  // descending
  for (const float maximum : maxima_) {
    if (!(maximum > best.back())) continue;
    auto place = best.end() - 1;
    for (; place != best.begin() && maximum > *(place - 1); --place) *place = *(place - 1);
    *place = maximum;
  }
  return best.back();
}

Expected<void> LogitReading::check() const {
  if (std::isfinite(log_sum_)) return {};
  return fail(ErrorCode::unsupported_model, "the model's output is not a number", broken_weights);
}

std::vector<TokenCandidate> LogitReading::likeliest(std::int32_t count) const {
  const auto wanted = std::min(logits_.size(), static_cast<std::size_t>(std::max(count, 0)));
  if (wanted == 0) return {};
  const float least = least_of_best(wanted);
  // The best so far, best first: nearly every token loses against the last of them with one compare.
  std::vector<TokenCandidate> best;
  best.reserve(wanted + 1);
  for (std::size_t block = 0; block < maxima_.size(); ++block) {
    if (maxima_[block] < least) continue;
    const std::size_t last = std::min(logits_.size(), (block + 1) * block_size);
    for (std::size_t token = block * block_size; token < last; ++token) {
      const float logit = logits_[token];
      if (logit < least) continue;
      if (best.size() == wanted && !(logit > best.back().probability)) continue;
      const auto place =
          std::ranges::find_if(best, [&](const TokenCandidate& other) { return logit > other.probability; });
      best.insert(place, {static_cast<std::int32_t>(token), logit});
      if (best.size() > wanted) best.pop_back();
    }
  }
  for (TokenCandidate& candidate : best)
    candidate.probability = static_cast<float>(std::exp(candidate.probability - log_sum_));
  return best;
}

}  // namespace natscope
