// SPDX-License-Identifier: GPL-3.0-or-later
// Exponentials over rows of numbers: what they give, and that they are computed several at a time.
#include "core/row_math/row_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <random>
#include <vector>

namespace natscope {
namespace {

std::vector<float> random_logits(std::size_t count) {
  std::mt19937_64 random(count);
  std::normal_distribution<float> logit(0, 4);
  std::vector<float> logits(count);
  std::ranges::generate(logits, [&] { return logit(random); });
  return logits;
}

std::int64_t size_of(const std::vector<float>& numbers) { return static_cast<std::int64_t>(numbers.size()); }

double plain_sum(const std::vector<float>& x, double shift) {
  double sum = 0;
  for (const float number : x) sum += std::exp(static_cast<double>(number) - shift);
  return sum;
}

TEST_CASE("sums of exponentials are as exact as they say, at every length") {
  for (const std::size_t count : {0U, 1U, 7U, 8U, 31U, 32U, 33U, 1023U, 1024U, 1025U, 50257U}) {
    CAPTURE(count);
    const std::vector<float> x = random_logits(count);
    const float largest = row_math::maximum(x.data(), size_of(x));
    if (count > 0) REQUIRE(largest == *std::ranges::max_element(x));
    const float shift = count > 0 ? largest : 0;
    const double truth = plain_sum(x, static_cast<double>(shift));
    CHECK(std::abs(row_math::exp_sum(x.data(), size_of(x), shift) - truth) <= 1e-5 * truth);
    CHECK(std::abs(row_math::exp_sum(x.data(), size_of(x), static_cast<double>(shift), 1.0) - truth) <= 1e-12 * truth);
  }
}

TEST_CASE("what is no number stays none, and what is infinitely unlikely adds nothing") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (std::size_t at = 0; at < 19; ++at) {
    std::vector<float> x(19, -1.0F);
    x[at] = NAN;
    CHECK(std::isnan(row_math::exp_sum(x.data(), size_of(x), 0.0F)));
    CHECK(std::isnan(row_math::exp_sum(x.data(), size_of(x), 0.0, 1.0)));
    x[at] = -infinity;
    CHECK(row_math::exp_sum(x.data(), size_of(x), -1.0F) == doctest::Approx(18).epsilon(1e-6));
    std::vector<float> gate(19, 2.0F);
    gate[at] = at % 2 == 0 ? -300.0F : 300.0F;
    std::vector<float> up(19, 0.5F);
    row_math::swiglu(gate.data(), up.data(), size_of(gate), gate.data());
    for (std::size_t i = 0; i < gate.size(); ++i) {
      const double truth = i != at ? 1 / (1 + std::exp(-2.0)) : at % 2 == 0 ? 0 : 150;
      CHECK(static_cast<double>(gate[i]) == doctest::Approx(truth).epsilon(1e-6));
    }
  }
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
/// The least of several times of the thread's own, in seconds.
template <class Work>
double least_seconds(const Work& work) {
  double least = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 7; ++run) {
    timespec start{};
    timespec end{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    work();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    least = std::min(least, static_cast<double>(end.tv_sec - start.tv_sec) +
                                1e-9 * static_cast<double>(end.tv_nsec - start.tv_nsec));
  }
  return least;
}

TEST_CASE("exponentials of a row take a fraction of what they take one by one") {
  const std::vector<float> x = random_logits(100000);
  double sums = 0;
  const double one_by_one = least_seconds([&] { sums += plain_sum(x, 20); });
  const double in_f32 = least_seconds([&] { sums += row_math::exp_sum(x.data(), size_of(x), 20.0F); });
  MESSAGE("times as fast: " << one_by_one / in_f32);
  CHECK(one_by_one > 3 * in_f32);  // about 10 with AVX2; 1.3 where the compiler does not vectorise the loop
  CHECK(sums > 0);
}
#endif

}  // namespace
}  // namespace natscope
