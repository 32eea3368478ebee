// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cstdint>

namespace natscope::kernels {

/// What one number of K, V or a weight is stored as. Sums are always taken in f32 or wider.
enum class ElementType : std::uint8_t { f32, bf16 };

[[nodiscard]] constexpr std::int64_t element_bytes(ElementType type) { return type == ElementType::f32 ? 4 : 2; }

/// The upper half of an f32: storage only, arithmetic goes through float.
struct Bf16 {
  std::uint16_t bits = 0;
};

/// Round to nearest, ties to even; NaN stays NaN.
[[nodiscard]] constexpr Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

[[nodiscard]] constexpr float to_float(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U);
}

}  // namespace natscope::kernels
