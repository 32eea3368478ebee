// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cstdint>

namespace natscope::kernels {

/// What one number of K, V or a weight is stored as. Sums are always taken in f32 or wider.
enum class ElementType : std::uint8_t {
  f32,
  bf16,
  f16,  ///< weights on the CPU only
};

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

/// IEEE 754's binary16: storage only, arithmetic goes through float.
struct F16 {
  std::uint16_t bits = 0;
};

/// Exact; infinities and NaN stay what they are.
[[nodiscard]] constexpr float to_float(F16 value) {
  const std::uint32_t sign = (value.bits & 0x8000U) << 16U;
  const std::uint32_t magnitude = (value.bits & 0x7fffU) << 13U;
  // The exponent's bias grows by 112; small numbers without a leading one get theirs from the product.
  const auto number = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const std::uint32_t special = magnitude | 0x7f800000U;
  return std::bit_cast<float>(sign | (magnitude >= 0x0f800000U ? special : number));
}

}  // namespace natscope::kernels
