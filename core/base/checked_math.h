// SPDX-License-Identifier: GPL-3.0-or-later
/// Arithmetic on sizes from files: nothing wraps round.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

namespace natscope {

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// Product of all sizes times `item`; nothing when one is negative or the product does not fit. A zero anywhere does
/// not hide an overflow elsewhere: [0, 2^40, 2^40] has none to hide only if every partial product fits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_product(std::span<const std::int64_t> sizes,
                                                                     std::uint64_t item = 1) {
  std::uint64_t product = item;
  bool is_empty = false;
  for (const std::int64_t size : sizes) {
    if (size < 0) return std::nullopt;
    if (size == 0) {
      is_empty = true;
      continue;
    }
    const auto next = checked_mul(product, static_cast<std::uint64_t>(size));
    if (!next) return std::nullopt;
    product = *next;
  }
  return is_empty ? 0 : product;
}

}  // namespace natscope
