// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/token_roles.h"

namespace natscope::test {

/// The numbers of one test. NATSCOPE_SEED=… in the environment repeats a failed run; a failure prints its seed.
class RandomArrays {
 public:
  explicit RandomArrays(std::uint64_t seed) : seed_(seed) {
    if (const char* wanted = std::getenv("NATSCOPE_SEED")) seed_ = std::strtoull(wanted, nullptr, 10);
    engine_.seed(seed_);
  }

  [[nodiscard]] std::string how_to_repeat() const { return "repeat with NATSCOPE_SEED=" + std::to_string(seed_); }

  [[nodiscard]] std::vector<float> normal(std::int64_t count, float deviation = 1.0F) {
    std::normal_distribution<float> distribution(0.0F, deviation);
    std::vector<float> numbers(static_cast<std::size_t>(count));
    for (float& number : numbers) number = distribution(engine_);
    return numbers;
  }

  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }

  /// Roles in the given proportions of G, L, S.
  [[nodiscard]] std::vector<Role> roles(std::int64_t count, std::vector<double> shares = {1, 1, 1}) {
    std::discrete_distribution<int> distribution(shares.begin(), shares.end());
    std::vector<Role> numbers(static_cast<std::size_t>(count));
    for (Role& role : numbers) role = static_cast<Role>(distribution(engine_));
    return numbers;
  }

 private:
  std::uint64_t seed_;
  std::mt19937_64 engine_;
};

inline std::vector<kernels::Bf16> rounded_to_bf16(std::span<const float> numbers) {
  std::vector<kernels::Bf16> rounded;
  rounded.reserve(numbers.size());
  for (const float number : numbers) rounded.push_back(kernels::to_bf16(number));
  return rounded;
}

/// Random bits as f16: numbers of every size, the smallest too, but no infinities and no NaN.
inline std::vector<kernels::F16> finite_f16(RandomArrays& random, std::int64_t count) {
  std::vector<kernels::F16> numbers(static_cast<std::size_t>(count));
  for (kernels::F16& number : numbers) {
    const auto sign = static_cast<std::uint32_t>(random.between(0, 1)) << 15U;
    number.bits = static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(random.between(0, 0x7bff)));
  }
  return numbers;
}

/// The same numbers as a bf16 array would give them back.
inline void round_to(kernels::ElementType dtype, std::vector<float>& numbers) {
  if (dtype == kernels::ElementType::f32) return;
  for (float& number : numbers) number = kernels::to_float(kernels::to_bf16(number));
}

}  // namespace natscope::test
