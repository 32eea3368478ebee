// SPDX-License-Identifier: GPL-3.0-or-later
/// Random numbers without a state: the n-th number of a named stream is a function of its names.
///
/// A resumed run draws what the uninterrupted one would have drawn, whatever the thread count and order.
/// Source of the mixing function: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace natscope::train {

class CounterRandom {
 public:
  /// A stream for one purpose; `a` and `b` tell its instances apart (a step and a layer, say).
  constexpr CounterRandom(std::uint64_t seed, std::uint64_t purpose, std::uint64_t a = 0, std::uint64_t b = 0)
      : key_(mix(mix(mix(mix(seed) + purpose) + a) + b)) {}

  [[nodiscard]] constexpr std::uint64_t bits(std::uint64_t n) const { return mix(key_ + n * Mixing::increment); }

  /// In the open interval (0, 1): its logarithm is finite.
  [[nodiscard]] constexpr float uniform(std::uint64_t n) const {
    return (static_cast<float>(bits(n) >> uniform_shift) + 0.5F) * uniform_unit;
  }

  /// Below `bound` (> 0). The bias of the multiplication is under bound / 2^32.
  [[nodiscard]] constexpr std::uint64_t below(std::uint64_t n, std::uint32_t bound) const {
    return ((bits(n) >> 32U) * bound) >> 32U;
  }

  /// Normal(0, deviation): Box–Muller on the numbers 2n and 2n + 1 of the stream.
  [[nodiscard]] double normal(std::uint64_t n, double deviation) const {
    const double radius = std::sqrt(-2.0 * std::log(static_cast<double>(uniform(2 * n))));
    return deviation * radius * std::cos(2.0 * std::numbers::pi * static_cast<double>(uniform(2 * n + 1)));
  }

  // For who computes many at a time (device_random.h).
  struct Mixing {
    static constexpr std::uint64_t increment = 0x9e3779b97f4a7c15U;
    static constexpr std::uint64_t first_factor = 0xbf58476d1ce4e5b9U, second_factor = 0x94d049bb133111ebU;
    static constexpr int first_shift = 30, second_shift = 27, last_shift = 31;
  };
  static constexpr int uniform_shift = 41;
  static constexpr float uniform_unit = 0x1p-23F;
  [[nodiscard]] constexpr std::uint64_t key() const { return key_; }

 private:
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z += Mixing::increment;
    z = (z ^ (z >> Mixing::first_shift)) * Mixing::first_factor;
    z = (z ^ (z >> Mixing::second_shift)) * Mixing::second_factor;
    return z ^ (z >> Mixing::last_shift);
  }

  std::uint64_t key_;
};

/// The purposes that streams exist for. Numbers are part of what makes a run repeatable: never reuse one.
namespace random_purpose {
inline constexpr std::uint64_t initial_weights = 1;
inline constexpr std::uint64_t segment_order = 2;
inline constexpr std::uint64_t segment_offset = 3;
inline constexpr std::uint64_t role_noise = 4;
inline constexpr std::uint64_t document_order = 5;
inline constexpr std::uint64_t document_kind = 6;
inline constexpr std::uint64_t passkey = 7;
inline constexpr std::uint64_t distance_marks = 8;
}  // namespace random_purpose

}  // namespace natscope::train
